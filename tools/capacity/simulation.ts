import { type CpuPart, costs } from './costs.ts'
import type { Plan } from './plan.ts'

export interface Load {
  /** Average over the day. */
  readonly clicksPerSecond: number
  readonly clicksPerRequest: number
}

/** A part of an installation that can give out. */
export type Part = CpuPart | 'fold' | 'queue' | 'disk'

export interface Outcome {
  /** Share of the clicks that were answered 503, 0 to 1. */
  readonly refused: number
  /** The longest that a click waited to be counted, in seconds. */
  readonly longestLagSeconds: number
  /** The highest use of each part in the day, as a share of what it has. Above 1 it gives out. */
  readonly peak: Readonly<Record<Part, number>>
  /** The part with the highest share, except for the disk, which retention decides. */
  readonly tightest: Part
}

const stepSeconds = 10
const daySeconds = 86_400
/** Above this share of its time a server's queue grows faster than anybody wants to wait (1 / (1 - share)). */
const usableShare = 0.8

/** Traffic of a site, relative to its average: a quarter at 4 o'clock, 1.75 at 16 o'clock, where five minutes have three times as much. */
export function shareAt(second: number): number {
  const hour = second / 3_600
  const daily = 1 - 0.75 * Math.cos(((hour - 4) / 24) * 2 * Math.PI)
  const isBurst = hour >= 16 && hour < 16 + 5 / 60
  return daily * (isBurst ? 3 : 1)
}

/**
 * Simulates a day in steps of ten seconds. Clicks are a fluid: each part passes on at most what its cores do in a step. What nginx, ingest
 * or RabbitMQ cannot take is refused, as is what finds a full queue. What is in the queue is counted as fast as processors, the
 * database's cores and its fold allow. There is no chance in it, and no network.
 */
export function simulateDay(plan: Plan, { clicksPerSecond, clicksPerRequest }: Load): Outcome {
  const capacity = capacityOf(plan, clicksPerRequest)
  const accepting = Math.min(capacity.nginx, capacity.ingest, capacity.rabbitmq)
  const counting = Math.min(capacity.processor, capacity.postgres, capacity.fold)
  const queueClicks = costs.queueClicks * plan.cells
  const scale = clicksPerSecond / averageShare
  let [waiting, arrived, refused, longestLagSeconds, fullest, most] = [0, 0, 0, 0, 0, 0]
  for (let second = 0; second < daySeconds; second += stepSeconds) {
    const offered = scale * shareAt(second) * stepSeconds
    const accepted = Math.min(offered, accepting * stepSeconds, queueClicks - waiting + counting * stepSeconds)
    waiting = Math.max(0, waiting + accepted - counting * stepSeconds)
    arrived += offered
    refused += offered - accepted
    most = Math.max(most, offered / stepSeconds)
    fullest = Math.max(fullest, waiting)
    longestLagSeconds = Math.max(longestLagSeconds, waiting / counting)
  }
  const kept = clicksPerSecond * daySeconds * plan.keepDays * costs.bytesPerClick
  const peak = {
    ...(Object.fromEntries(parts.map((part) => [part, most / capacity[part]])) as Record<
      (typeof parts)[number],
      number
    >),
    queue: fullest / queueClicks,
    disk: kept / (plan.diskBytes * plan.cells),
  }
  const [tightest = 'nginx'] = (Object.keys(peak) as Part[])
    .filter((part) => part !== 'disk')
    .sort((one, other) => peak[other] - peak[one])
  return { refused: refused / arrived, longestLagSeconds, peak, tightest }
}

const parts = ['nginx', 'ingest', 'rabbitmq', 'processor', 'postgres', 'fold'] as const

/** Clicks/s that each part of the installation can pass on. */
export function capacityOf(plan: Plan, clicksPerRequest: number): Record<(typeof parts)[number], number> {
  const cores: Record<CpuPart, number> = {
    nginx: plan.nginxCores,
    ingest: plan.ingests,
    rabbitmq: plan.brokerCores * plan.cells,
    processor: plan.processors * plan.cells,
    postgres: plan.databaseCores * plan.cells,
  }
  const ofCpu = (part: CpuPart) => {
    const { request, click } = costs.cpu[part]
    return (cores[part] * usableShare * 1e6) / (request / clicksPerRequest + click)
  }
  return {
    nginx: ofCpu('nginx'),
    ingest: ofCpu('ingest'),
    rabbitmq: ofCpu('rabbitmq'),
    processor: ofCpu('processor'),
    postgres: ofCpu('postgres'),
    fold: costs.foldsPerSecond * plan.cells,
  }
}

const averageShare =
  Array.from({ length: daySeconds / stepSeconds }, (_, step) => shareAt(step * stepSeconds)).reduce(
    (sum, share) => sum + share,
    0,
  ) /
  (daySeconds / stepSeconds)
