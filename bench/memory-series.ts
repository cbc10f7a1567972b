import { setTimeout as sleep } from 'node:timers/promises'
import { residentMemory } from '@clicktally/processes/resident-memory.ts'

export interface MemorySample {
  /** Since the series began. */
  readonly seconds: number
  readonly megabytes: number
}

const sampleEveryMs = 500

/** What processes hold in memory together, looked at twice a second from its making until it is stopped. */
export class MemorySeries {
  readonly samples: MemorySample[] = []
  readonly #pids: readonly number[]
  readonly #startedAtMs = performance.now()
  readonly #running: Promise<void>
  #stopped = false

  constructor(pids: readonly number[]) {
    this.#pids = pids
    this.#running = this.#watch()
  }

  get seconds(): number {
    return (performance.now() - this.#startedAtMs) / 1_000
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      const { seconds } = this
      const held = await Promise.all(this.#pids.map((pid) => residentMemory(pid)))
      const bytes = held.reduce<number>((sum, each) => sum + (each ?? 0), 0)
      if (bytes > 0) this.samples.push({ seconds, megabytes: bytes / 1e6 })
      await sleep(sampleEveryMs)
    }
  }
}

/** The most between two moments; NaN where nothing was seen. */
export function mostBetween(samples: readonly MemorySample[], fromSeconds: number, toSeconds: number): number {
  const within = samples.filter(({ seconds }) => seconds >= fromSeconds && seconds < toSeconds)
  return within.length === 0 ? Number.NaN : Math.max(...within.map(({ megabytes }) => megabytes))
}
