import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import { type SketchKey, sketchesOf } from '../queries/sketches-of.ts'

/** At 4 bytes each, 16 MB. */
const defaultMaxHashes = 4_000_000
/** The memory of an empty sketch, in hashes. */
const overhead = 64

/**
 * A least-recently-used cache of the visitor sketches of past buckets, which rarely change: fetching them would take most of
 * the time of a query over a year.
 *
 * A returned sketch may be newer than the requested row; it then includes visitors who were counted in the meantime.
 */
export class SketchCache {
  readonly #maxHashes: number
  readonly #sketches = new Map<string, Int32Array>()
  #hashes = 0

  constructor(maxHashes: number = defaultMaxHashes) {
    this.#maxHashes = maxHashes
  }

  /** The sketches (sorted hashes) of these rows, in any order. Rows that no longer exist are left out. */
  async get(db: Kysely<Tables>, projectId: number, keys: readonly SketchKey[]): Promise<Int32Array[]> {
    const sketches: Int32Array[] = []
    const missing: SketchKey[] = []
    for (const key of keys) {
      const name = nameOf(projectId, key)
      const sketch = this.#sketches.get(name)
      if (sketch === undefined) missing.push(key)
      else {
        sketches.push(sketch)
        this.#sketches.delete(name)
        this.#sketches.set(name, sketch)
      }
    }
    if (missing.length === 0) return sketches
    for (const { visitors, ...key } of await sketchesOf(db, projectId, missing)) {
      const sketch = Int32Array.from(visitors)
      sketches.push(sketch)
      this.#store(nameOf(projectId, key), sketch)
    }
    return sketches
  }

  #store(name: string, sketch: Int32Array): void {
    this.#drop(name)
    this.#sketches.set(name, sketch)
    this.#hashes += sketch.length + overhead
    for (const oldest of this.#sketches.keys()) {
      if (this.#hashes <= this.#maxHashes) break
      this.#drop(oldest)
    }
  }

  #drop(name: string): void {
    const sketch = this.#sketches.get(name)
    if (sketch === undefined) return
    this.#sketches.delete(name)
    this.#hashes -= sketch.length + overhead
  }
}

function nameOf(projectId: number, { width, startMs, version, target }: SketchKey): string {
  return `${projectId} ${width} ${startMs} ${version} ${target}`
}
