import { setTimeout as sleep } from 'node:timers/promises'
import { residentMemory } from './resident-memory.ts'

export interface MemorySample {
  /** Since the start of the series. */
  readonly seconds: number
  readonly megabytes: number
}

const sampleEveryMs = 500

/** Samples the resident memory of processes, added up, from its construction until it is stopped. */
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

  /** Maximum between two times; NaN without samples. */
  maximum(fromSeconds = 0, toSeconds = Number.POSITIVE_INFINITY): number {
    const within = this.samples.filter(({ seconds }) => seconds >= fromSeconds && seconds < toSeconds)
    return within.length === 0 ? Number.NaN : Math.max(...within.map(({ megabytes }) => megabytes))
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
