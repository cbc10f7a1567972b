import type { TakenClick } from './taken-click.ts'

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

/** Hashes of visitors, in no order, some of them several times: sorting them once is quicker than looking for each. */
export class VisitorHashes {
  readonly #hashes: number[] = []

  /** How many were added. */
  get size(): number {
    return this.#hashes.length
  }

  add(hash: number): void {
    this.#hashes.push(hash)
  }

  /** The smallest, ascending, each once. */
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

/** As many hashes as a sketch holds: visitor_sketch_merge() keeps the smallest. */
const sketchSize = 2_048

/** The target of the counters of all targets together. No click has it. */
const allTogether = ''

/**
 * What these clicks, each of which is new, add to the counters, those of all targets together included: the same as
 * `counted` in sql/count-clicks.ts.
 */
export function counterDeltas(clicks: Iterable<TakenClick>): CounterDelta[] {
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
    // Mostly the one of the click before.
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

/** The map under this key, made where there is none. */
function mapAt<Key, InnerKey, Value>(maps: Map<Key, Map<InnerKey, Value>>, key: Key): Map<InnerKey, Value> {
  let map = maps.get(key)
  if (map === undefined) {
    map = new Map()
    maps.set(key, map)
  }
  return map
}
