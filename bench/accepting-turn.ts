import { cpuOf, type Design, memoryOf } from './design.ts'
import type { LoadGenerator, LoadOptions, LoadResult } from './load-generator.ts'

export interface TurnOptions
  extends Pick<LoadOptions, 'content' | 'connections' | 'warmUpMs' | 'measuredMs' | 'dir' | 'signal'> {
  readonly generator: LoadGenerator
  readonly clicksPerRequest: number
}

/** What a design did in one turn. */
export interface TurnFigures {
  /** Clicks answered 202 in a second, after the warm-up. */
  readonly perSecond: number
  /** CPU seconds for a million accepted clicks. */
  readonly service: number
  readonly rabbitmq: number | undefined
  readonly postgres: number | undefined
  readonly redis: number | undefined
  readonly generator: number
  readonly memoryMb: number
  /** In clicks, in the whole of the turn. */
  readonly accepted: number
  /** The most that may have been kept: with those whose answer was another one, or did not come. */
  readonly possible: number
  /** What was kept of the accepted, as a share of 1; undefined where nothing is to be kept, or that is not yet asked. */
  keptShare: number | undefined
  /** Why the figures count for nothing. */
  readonly voided: string | undefined
}

/** CPU seconds of the service and the broker together, for a million accepted clicks: what accepting a click costs. */
export function acceptingCpu({ service, rabbitmq = 0 }: TurnFigures): number {
  return service + rabbitmq
}

/** Puts a design under full load for a while, and asks afterwards what it has kept. */
export async function playTurn(design: Design, options: TurnOptions): Promise<TurnFigures> {
  const { generator, clicksPerRequest, ...load } = options
  const before = cpuOf(design)
  const result = await generator.run({ url: design.url, ...load })
  const after = cpuOf(design)
  const memoryMb = await memoryOf(design)
  const accepted = result.succeeded * clicksPerRequest
  const possible = result.sent * clicksPerRequest
  const kept = await design.kept?.(accepted)
  const perMillion = (seconds: number) => (seconds / accepted) * 1_000_000
  const taken = (part: 'rabbitmq' | 'postgres' | 'redis') => {
    const [from, to] = [before[part], after[part]]
    return from === undefined || to === undefined ? undefined : perMillion(to - from)
  }
  return {
    // Not everything that was sent in the measured time was accepted, where answers failed.
    perSecond: result.perSecond * clicksPerRequest * (result.succeeded / Math.max(1, result.sent)),
    service: perMillion(after.service - before.service),
    rabbitmq: taken('rabbitmq'),
    postgres: taken('postgres'),
    redis: taken('redis'),
    generator: perMillion(result.cpuSeconds),
    memoryMb,
    accepted,
    possible,
    keptShare: kept === undefined ? undefined : kept / accepted,
    voided: voidReason(design, result, { accepted, possible, kept }),
  }
}

function voidReason(
  { name, mayLose = false }: Design,
  { sent, failed, broken }: LoadResult,
  { accepted, possible, kept }: { accepted: number; possible: number; kept: number | undefined },
): string | undefined {
  if (accepted === 0) return `${name} accepted nothing`
  if (broken > 0) return `${name} broke ${broken} connections`
  // A few answers of another kind are counted out; many are another load than that of the others.
  if (failed > sent / 100) return `${name} refused ${failed} of ${sent} requests`
  if (kept === undefined || mayLose || (kept >= accepted && kept <= possible)) return undefined
  return `${name} answered 202 to ${accepted} clicks and kept ${kept}`
}
