import { LoadGenerator, type LoadOptions } from '@clicktally/load/load-generator.ts'
import { type PacedOptions, type PacedResult, sendPaced } from '@clicktally/load/paced-sender.ts'
import { explain, Problem } from '@clicktally/local/problem.ts'
import { cpuSeconds } from '@clicktally/processes/cpu-time.ts'
import { residentMemory } from '@clicktally/processes/resident-memory.ts'
import type { Stage } from '../measurement.ts'
import type { Turns } from '../report/turns.ts'
import type { BenchSystem } from '../system/bench-system.ts'
import { ClickOracle } from './click-oracle.ts'
import type { Design, DesignStart, ServerPart } from './designs.ts'

/** The figures of a design in one turn at full load. CPU is in seconds per million accepted clicks. */
export interface LoadTurn {
  /** Clicks answered 202, after the warm-up. */
  readonly perSecond: number
  readonly service: number
  readonly rabbitmq: number | undefined
  readonly postgres: number | undefined
  readonly redis: number | undefined
  readonly generator: number
  readonly memoryMb: number
  /** Share of the accepted clicks that were kept; undefined if the design keeps none. */
  readonly keptShare: number | undefined
}

export type LoadTurnOptions = Pick<LoadOptions, 'connections' | 'warmUpMs' | 'measuredMs'> & {
  readonly clicksPerRequest: number
  readonly seed: number
}

const warmUpConnections = 64

/** The CPU cost of accepting: service and broker together. */
export function acceptingCpu({ service, rabbitmq = 0 }: LoadTurn): number {
  return service + rabbitmq
}

/** Designs that take turns under load on the same machine. While a turn lasts, no processor runs. */
export class Contest {
  readonly designs: readonly Design[]
  /** Why designs were left out. */
  readonly missing: readonly string[]
  readonly generator: LoadGenerator
  /** By name of the design: why its figures are void. */
  readonly voided = new Map<string, string>()
  readonly #stage: Stage
  readonly #oracle: ClickOracle

  private constructor(
    stage: Stage,
    generator: LoadGenerator,
    oracle: ClickOracle,
    { designs, missing }: Pick<StartedDesigns, 'designs' | 'missing'>,
  ) {
    this.designs = designs
    this.missing = missing
    this.generator = generator
    this.#stage = stage
    this.#oracle = oracle
  }

  /** Starts the designs, and stops them at the end. */
  static async hold<Result>(
    stage: Stage,
    starts: readonly DesignStart[],
    act: (contest: Contest) => Promise<Result>,
  ): Promise<Result> {
    stage.progress('starting', 0)
    const generator = await LoadGenerator.find(stage.signal)
    const system = await stage.system()
    const started = await startDesigns(starts, system, stage)
    try {
      return await act(new Contest(stage, generator, await ClickOracle.start(system), started))
    } finally {
      await started.stop()
    }
  }

  /** The designs in the order of a round: each round starts with a different one. */
  orderOf(round: number): Design[] {
    const first = round % this.designs.length
    return [...this.designs.slice(first), ...this.designs.slice(0, first)]
  }

  /** Puts a design under full load, then checks what it kept. */
  async loadTurn(design: Design, options: LoadTurnOptions): Promise<LoadTurn> {
    const { clicksPerRequest, seed, ...load } = options
    const { dir, signal } = this.#stage
    const content = { kind: 'clicks', clicksPerRequest, seed } as const
    const before = cpuOf(design)
    const result = await this.generator.run({ url: design.url, key: design.key, content, dir, signal, ...load })
    const after = cpuOf(design)
    const memoryMb = ((await residentMemory(design.pid())) ?? Number.NaN) / 1e6
    const accepted = result.succeeded * clicksPerRequest
    const kept = await this.#check(design, accepted, result.sent * clicksPerRequest)
    const { sent, failed, broken, succeeded } = result
    if (accepted === 0) this.#void(design, 'accepted nothing')
    if (broken > 0) this.#void(design, `broke ${broken} connections`)
    // A few failures are subtracted, but many of them make it a different load.
    if (failed > sent / 100) this.#void(design, `rejected ${failed} of ${sent} requests`)
    const perMillion = (seconds: number) => (seconds / accepted) * 1e6
    const serverCpu = (part: ServerPart) => {
      const [from, to] = [before[part], after[part]]
      return from === undefined || to === undefined ? undefined : perMillion(to - from)
    }
    return {
      perSecond: result.perSecond * clicksPerRequest * (succeeded / Math.max(1, sent)),
      service: perMillion(after.service - before.service),
      rabbitmq: serverCpu('rabbitmq'),
      postgres: serverCpu('postgres'),
      redis: serverCpu('redis'),
      generator: perMillion(result.cpuSeconds),
      memoryMb,
      // If the oracle finds that Clicktally lost any, its figures are void.
      keptShare: design.own ? 1 : kept && kept / accepted,
    }
  }

  /** Sends clicks to a design at a constant rate, then checks what it kept. */
  async pacedTurn(design: Design, options: Omit<PacedOptions, 'url' | 'signal'>): Promise<PacedResult> {
    const result = await sendPaced({ url: design.url, key: design.key, signal: this.#stage.signal, ...options })
    const { latenciesMs, answers, unsent, acceptedClicks, sentClicks } = result
    await this.#check(design, acceptedClicks, sentClicks)
    const requests = Object.values(answers).reduce((sum, count) => sum + count, unsent)
    // The latencies of the others are missing, and would be the longest ones.
    if (latenciesMs.length < requests * 0.999)
      this.#void(design, `accepted ${latenciesMs.length} of ${requests} requests`)
    return result
  }

  /** Puts each design under full load until its code is compiled. Resolves with the rates that they reach. */
  async warmUp(durationMs: number, clicksPerRequest = 1): Promise<Map<Design, number>> {
    const rates = new Map<Design, number>()
    for (const design of this.designs) {
      const times = { warmUpMs: durationMs / 2, measuredMs: durationMs / 2 }
      const options = { ...times, connections: warmUpConnections, clicksPerRequest, seed: 1 }
      rates.set(design, (await this.loadTurn(design, options)).perSecond)
    }
    return rates
  }

  /** Counts what Clicktally has accepted so far. */
  async checkCounted(): Promise<void> {
    const wrong = await this.#oracle.check()
    for (const { name, own } of this.designs) if (own && wrong !== undefined) this.voided.set(name, wrong)
  }

  /** Returns the rows for tableOfTurns(), in the order of the designs. */
  rowsOf<Turn>(turns: Turns<Turn>) {
    return this.designs.flatMap(({ name }) => {
      const voided = this.voided.get(name)
      return turns.of(name).length === 0 ? [] : [{ name, turns: turns.of(name), voided }]
    })
  }

  async #check(design: Design, accepted: number, possible: number): Promise<number | undefined> {
    if (design.own) this.#oracle.add(accepted, possible)
    const kept = await design.kept?.(accepted)
    const isRight = kept === undefined || design.mayLose || (kept >= accepted && kept <= possible)
    if (!isRight) this.#void(design, `answered 202 to ${accepted} clicks and kept ${kept}`)
    return kept
  }

  #void({ name }: Design, reason: string): void {
    this.voided.set(name, `${name} ${reason}`)
  }
}

export interface StartedDesigns {
  readonly designs: readonly Design[]
  /** Why designs could not be started, a sentence each. */
  readonly missing: readonly string[]
  stop(): Promise<void>
}

/** Starts all designs. Leaves out those for which this machine lacks a program, such as Redis; any other error stops all. */
export async function startDesigns(
  starts: readonly DesignStart[],
  system: BenchSystem,
  stage: Pick<Stage, 'dir' | 'signal'>,
): Promise<StartedDesigns> {
  const outcomes = await Promise.allSettled(starts.map(async (start) => await start(system, stage)))
  const designs = outcomes.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
  const errors = outcomes.flatMap((each): unknown[] => (each.status === 'rejected' ? [each.reason] : []))
  const stop = async () => {
    for (const design of designs.toReversed()) await design.stop()
  }
  const failure = errors.find((error) => !(error instanceof Problem))
  if (failure !== undefined) {
    await stop()
    throw failure
  }
  return { designs, missing: errors.map((error) => explain(error).split('\n', 1)[0] ?? ''), stop }
}

function cpuOf(design: Design): Partial<Record<ServerPart, number>> & { readonly service: number } {
  const { rabbitmq, postgres, redis } = design.servers()
  const pid = design.pid()
  return {
    service: cpuSeconds(pid === undefined ? [] : [pid]),
    ...(rabbitmq && { rabbitmq: cpuSeconds(rabbitmq) }),
    ...(postgres && { postgres: cpuSeconds(postgres) }),
    ...(redis && { redis: cpuSeconds(redis) }),
  }
}
