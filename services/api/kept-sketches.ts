import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import { sketchesOf } from './queries/sketches-of.ts'

/** A row of hours, days or months, as it was at some moment. */
export interface SketchKey {
  readonly width: 'hour' | 'day' | 'month'
  /** Milliseconds since 1970. */
  readonly startMs: number
  readonly target: string
  /** Another one after each change: the transaction that wrote the row. */
  readonly version: string
}

/** About 16 MB. */
const defaultMaxHashes = 4_000_000
/** What a sketch without hashes takes up, in hashes. */
const overhead = 64

/**
 * Visitors' sketches of buckets that are over, which hardly ever change: most of the time of a question over a year would
 * go into fetching them. Those that were not asked for in the longest time go first.
 *
 * One may be newer than the row that was asked for: then it has more visitors, who have come meanwhile.
 */
export class KeptSketches {
  readonly #maxHashes: number
  readonly #sketches = new Map<string, Int32Array>()
  #hashes = 0

  constructor(maxHashes: number = defaultMaxHashes) {
    this.#maxHashes = maxHashes
  }

  /** Sorted hashes, in any order of the rows; a row that is gone meanwhile is left out. */
  async of(db: Kysely<Tables>, projectId: number, keys: readonly SketchKey[]): Promise<Int32Array[]> {
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
      this.#keep(nameOf(projectId, key), sketch)
    }
    return sketches
  }

  #keep(name: string, sketch: Int32Array): void {
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
