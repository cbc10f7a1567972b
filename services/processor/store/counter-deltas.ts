import type { ClickRow } from '../rows/click-row.ts'

/** What clicks add to one counter. */
export interface CounterDelta {
  readonly projectId: number
  /** Empty: all targets together. */
  readonly target: string
  /** In whole minutes since 1970. */
  readonly minute: number
  total: number
  bots: number
  readonly visitors: VisitorHashes
}

/** Hashes of visitors in any order, with duplicates: sorting once is faster than searching for each. */
export class VisitorHashes {
  readonly #hashes: number[] = []

  /** How many were added. */
  get size(): number {
    return this.#hashes.length
  }

  add(hash: number): void {
    this.#hashes.push(hash)
  }

  /** The smallest hashes in ascending order, without duplicates. */
  sketch(): ArrayLike<number> {
    if (this.#hashes.length <= 1) return this.#hashes
    const hashes = new Int32Array(this.#hashes).sort()
    let different = 1
    for (let index = 1; index < hashes.length && different < sketchSize; index += 1) {
      const hash = hashes[index] as number
      if (hash === hashes[different - 1]) continue
      hashes[different] = hash
      different += 1
    }
    return hashes.subarray(0, different)
  }
}

/** Most hashes in a sketch, as visitor_sketch_merge() has it. */
const sketchSize = 2_048

/** The target of the counters of all targets together. No click has this target. */
const allTogether = ''

/**
 * What new clicks add to the counters: each to its target's in its minute, and to that of all targets together. The function
 * click_count() states the same in SQL (migrations/functions/counters); a property test holds the two together.
 */
export function counterDeltas(clicks: Iterable<ClickRow>): CounterDelta[] {
  const all: CounterDelta[] = []
  /** By project, by target, by minute. */
  const projects = new Map<number, Map<string, Map<number, CounterDelta>>>()
  const deltaOf = (
    targets: Map<string, Map<number, CounterDelta>>,
    projectId: number,
    target: string,
    minute: number,
  ) => {
    const minutes = mapAt(targets, target)
    let delta = minutes.get(minute)
    if (delta === undefined) {
      delta = { projectId, target, minute, total: 0, bots: 0, visitors: new VisitorHashes() }
      minutes.set(minute, delta)
      all.push(delta)
    }
    return delta
  }
  let together: CounterDelta | undefined
  for (const { projectId, target, minute, bot, visitorHash } of clicks) {
    const targets = mapAt(projects, projectId)
    const delta = deltaOf(targets, projectId, target, minute)
    // Usually the same as for the previous click.
    if (together?.minute !== minute || together.projectId !== projectId) {
      together = deltaOf(targets, projectId, allTogether, minute)
    }
    if (bot) {
      delta.bots += 1
      together.bots += 1
    } else {
      delta.total += 1
      together.total += 1
      if (visitorHash !== undefined) {
        delta.visitors.add(visitorHash)
        together.visitors.add(visitorHash)
      }
    }
  }
  return all
}

/** The map under this key, which is created if missing. */
function mapAt<Key, InnerKey, Value>(maps: Map<Key, Map<InnerKey, Value>>, key: Key): Map<InnerKey, Value> {
  let map = maps.get(key)
  if (map === undefined) {
    map = new Map()
    maps.set(key, map)
  }
  return map
}
