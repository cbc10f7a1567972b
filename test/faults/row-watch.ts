import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickLoad, EndpointWatch } from '@clicktally/load/click-load.ts'
import type { Pool } from 'pg'
import type { Recovery } from './stage.ts'

/** One repetition of the fault. */
interface Cycle {
  readonly brokenAtMs: number
  readonly failuresBefore: number
  restoredAtMs: number | undefined
  /** Counted clicks in the first sample after `restored`: earlier samples may have missed clicks. */
  countedBefore: number | undefined
  endpoints: EndpointWatch | undefined
  acceptedAgainMs: number | undefined
  countedAgainMs: number | undefined
  backlogGoneMs: number | undefined
}

const sampleEveryMs = 100
/** The backlog is gone when every click accepted longer ago than this is counted or dead. */
const freshMs = 1_000

/**
 * Samples the row's accepted clicks and its counted clicks ten times a second, and measures how long the system takes to
 * recover.
 *
 * A cycle: broken → restored → accepting, counting and without a backlog, in any order → the next cycle.
 */
export class RowWatch {
  readonly #pool: Pool
  readonly #load: ClickLoad
  readonly #lettersAfter: number
  readonly #cycles: Cycle[] = []
  /** Samples of the accepted clicks; the newest is last. */
  readonly #accepted: { readonly atMs: number; readonly clicks: number }[] = []
  #counted = 0
  #stopped = false
  readonly #running: Promise<unknown>

  constructor(pool: Pool, load: ClickLoad, lettersAfter: number) {
    this.#pool = pool
    this.#load = load
    this.#lettersAfter = lettersAfter
    this.#running = Promise.all([this.#watchLoad(), this.#watchDatabase()])
  }

  /** Clicks of this row that were counted or dead in the last sample. */
  get counted(): number {
    return this.#counted
  }

  get times(): number {
    return this.#cycles.length
  }

  get isBroken(): boolean {
    const cycle = this.#cycles.at(-1)
    return cycle !== undefined && cycle.restoredAtMs === undefined
  }

  broken(): void {
    this.#cycles.push({
      brokenAtMs: performance.now(),
      failuresBefore: this.#load.failures,
      restoredAtMs: undefined,
      countedBefore: undefined,
      endpoints: undefined,
      acceptedAgainMs: undefined,
      countedAgainMs: undefined,
      backlogGoneMs: undefined,
    })
  }

  restored(): void {
    const cycle = this.#cycles.at(-1)
    if (cycle === undefined || cycle.restoredAtMs !== undefined) throw new Error('restored() without broken()')
    cycle.restoredAtMs = performance.now()
    cycle.endpoints = this.#load.watchEndpoints()
  }

  /** Undefined until the newest cycle has recovered. */
  get recovery(): Recovery | undefined {
    const cycle = this.#cycles.at(-1)
    if (cycle === undefined) return undefined
    const { brokenAtMs, restoredAtMs, acceptedAgainMs, countedAgainMs } = cycle
    if (restoredAtMs === undefined || acceptedAgainMs === undefined || countedAgainMs === undefined) return undefined
    return { brokenForMs: restoredAtMs - brokenAtMs, acceptedAgainMs, countedAgainMs }
  }

  /** Whether the newest cycle's backlog is gone. */
  get isBacklogGone(): boolean {
    return this.#cycles.at(-1)?.backlogGoneMs !== undefined
  }

  /** The worst of all cycles. */
  summary(): { brokenForMs: number; acceptedAgainMs: number | undefined; backlogGoneMs: number | undefined } {
    const worst = (times: (number | undefined)[]) => {
      const known = times.filter((time) => time !== undefined)
      return known.length === 0 ? undefined : Math.max(...known)
    }
    const nowMs = performance.now()
    return {
      brokenForMs: this.#cycles.reduce((sum, each) => sum + (each.restoredAtMs ?? nowMs) - each.brokenAtMs, 0),
      acceptedAgainMs: worst(this.#cycles.map(({ acceptedAgainMs }) => acceptedAgainMs)) || undefined,
      backlogGoneMs: worst(this.#cycles.map(({ backlogGoneMs }) => backlogGoneMs)),
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #watchLoad(): Promise<void> {
    while (!this.#stopped) {
      const nowMs = performance.now()
      this.#accepted.push({ atMs: nowMs, clicks: this.#load.accepted })
      const cycle = this.#cycles.at(-1)
      if (cycle?.restoredAtMs !== undefined && cycle.acceptedAgainMs === undefined) this.#checkEndpoints(cycle)
      await sleep(sampleEveryMs)
    }
  }

  #checkEndpoints(cycle: Cycle): void {
    const { endpoints, restoredAtMs = 0, failuresBefore } = cycle
    const times = this.#load.endpoints.map((endpoint) => endpoints?.acceptedAtMs.get(endpoint))
    const known = times.filter((time) => time !== undefined)
    if (known.length < times.length) return
    cycle.acceptedAgainMs = this.#load.failures === failuresBefore ? 0 : Math.max(...known) - restoredAtMs
  }

  async #watchDatabase(): Promise<void> {
    while (!this.#stopped) {
      try {
        const askedAtMs = performance.now()
        this.#counted = await this.#readCounted()
        this.#checkCounted(askedAtMs)
      } catch {
        // The fault may affect the database or its connections.
      }
      await sleep(sampleEveryMs)
    }
  }

  async #readCounted(): Promise<number> {
    const { rows } = await this.#pool.query<{ counted: number }>({
      name: 'row-counted',
      text: `select coalesce((select sum(total + bots) from counters where target = any($1)), 0)
               + coalesce((select sum(clicks) from dead_letters where id > $2), 0) as counted`,
      values: [[...this.#load.targets], this.#lettersAfter],
    })
    return rows[0]?.counted ?? 0
  }

  #checkCounted(askedAtMs: number): void {
    const cycle = this.#cycles.at(-1)
    if (cycle?.restoredAtMs === undefined || askedAtMs < cycle.restoredAtMs) return
    const nowMs = performance.now()
    cycle.countedBefore ??= this.#counted
    if (this.#counted > cycle.countedBefore) cycle.countedAgainMs ??= nowMs - cycle.restoredAtMs
    if (cycle.countedAgainMs !== undefined && this.#counted >= this.#acceptedUpTo(nowMs - freshMs))
      cycle.backlogGoneMs ??= nowMs - cycle.restoredAtMs
  }

  #acceptedUpTo(momentMs: number): number {
    return this.#accepted.findLast(({ atMs }) => atMs <= momentMs)?.clicks ?? 0
  }
}
