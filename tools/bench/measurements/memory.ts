import { setTimeout as sleep } from 'node:timers/promises'
import { LoadGenerator } from '@clicktally/load/load-generator.ts'
import { MemorySeries } from '@clicktally/processes/memory-series.ts'
import { lastHour, makeClicks, messagesOf } from '@clicktally/synthetic-clicks/click-messages.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { ClickOracle } from '../accepting/click-oracle.ts'
import type { Measurement, Section, Stage } from '../measurement.ts'
import { drainQueue } from '../storing/queue-drain.ts'
import type { BenchSystem } from '../system/bench-system.ts'

const connections = 256
const acceptedAgainWithinMs = 60_000
/** Number of rows that show the memory over time. */
const intervals = 10

interface IngestRun {
  readonly series: MemorySeries
  /** Start and end of the stall, in seconds since the start of the series. */
  readonly stalledAt: number
  readonly resumedAt: number
  readonly acceptedAgainAfter: number
  readonly accepted: number
  readonly rejected: number
  readonly voided: string | undefined
}

interface ProcessorRun {
  readonly series: MemorySeries
  readonly clicks: number
  readonly voided: string | undefined
}

/** Memory of ingest while the broker stalls, and of a processor draining a long queue. */
export const memory: Measurement = {
  name: 'memory',
  title: 'resident memory under load, during a stall, with a long queue',
  run: async (stage) => {
    const system = await stage.system()
    const stallMs = stage.short ? 7_000 : 120_000
    return sectionOf(await runIngest(stage, system, stallMs), await runProcessor(stage, system), stallMs)
  },
}

async function runIngest(stage: Stage, system: BenchSystem, stallMs: number): Promise<IngestRun> {
  const { short, signal, dir } = stage
  const [loadMs, afterMs] = short ? [4_000, 4_000] : [20_000, 15_000]
  const measuredMs = loadMs + stallMs + afterMs
  const generator = await LoadGenerator.find(signal)
  const oracle = await ClickOracle.start(system)
  const series = new MemorySeries(system.processesOf('ingest'))
  const load = generator.run({
    url: system.ingestUrl,
    key: system.ownerKey,
    content: { kind: 'clicks', clicksPerRequest: 1, seed: 8 },
    ...{ connections, warmUpMs: 0, measuredMs, answersWithinMs: 6_000, dir, signal },
  })
  // A failure is reported by the `await` below.
  load.catch(() => {})
  const broker = system.processesOf('rabbitmq')
  try {
    stage.progress('ingest at full load', 0)
    await sleep(loadMs, undefined, { signal })
    const stalledAt = series.seconds
    // Like a machine that hangs: connections stay open, but nothing moves.
    signalAll(broker, 'SIGSTOP')
    stage.progress('the broker stalls', (0.7 * loadMs) / measuredMs)
    await sleep(stallMs, undefined, { signal })
    signalAll(broker, 'SIGCONT')
    const resumedAt = series.seconds
    stage.progress('the broker is back', (0.7 * (loadMs + stallMs)) / measuredMs)
    const acceptedAgainAfter = await untilAccepted(system, signal, oracle)
    const { sent, succeeded: accepted, failed: rejected } = await load
    await series.stop()
    oracle.add(accepted, sent)
    const voided = await oracle.check()
    return { series, stalledAt, resumedAt, acceptedAgainAfter, accepted, rejected, voided }
  } finally {
    signalAll(broker, 'SIGCONT')
    await series.stop()
  }
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      // A helper process of the broker that has ended.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** Resolves with the seconds until a click is accepted again. */
async function untilAccepted(
  { ingestUrl, ownerKey }: BenchSystem,
  signal: AbortSignal,
  oracle: ClickOracle,
): Promise<number> {
  const startedAtMs = performance.now()
  const headers = { authorization: `Bearer ${ownerKey}`, 'content-type': 'application/json' }
  const body = '{"target":"after-the-stall"}'
  for (;;) {
    const response = await fetch(`${ingestUrl}/v1/events`, { method: 'POST', headers, body, signal })
    await response.arrayBuffer()
    oracle.add(response.status === 202 ? 1 : 0, 1)
    const tookMs = performance.now() - startedAtMs
    if (response.status === 202) return tookMs / 1_000
    if (tookMs > acceptedAgainWithinMs) throw new Error('no click is accepted 60 s after the stall')
    await sleep(100, undefined, { signal })
  }
}

async function runProcessor(stage: Stage, system: BenchSystem): Promise<ProcessorRun> {
  await system.setProcessors(0)
  const clicks = stage.short ? 100_000 : 1_000_000
  let series: MemorySeries | undefined
  try {
    stage.progress('filling a long queue', 0.7)
    const messages = [...messagesOf(makeClicks(lastHour(clicks, 9)))]
    const { voided } = await drainQueue(
      { system, stage },
      {
        ...{ what: 'a long queue', messages, processors: 1 },
        onReady: (pids) => {
          series = new MemorySeries(pids)
        },
        onShare: (share) => stage.progress('draining a long queue', 0.7 + 0.3 * share),
      },
    )
    return { series: series ?? new MemorySeries([]), clicks, voided }
  } finally {
    await series?.stop()
  }
}

function sectionOf(ingest: IngestRun, processor: ProcessorRun, stallMs: number): Section {
  const { series, stalledAt, resumedAt, voided } = ingest
  const columns = [{ name: 'maximum', unit: 'MB' }]
  const row = (name: string, megabytes: number, voided?: string) => ({ name, cells: [[megabytes]], voided })
  const half = (processor.series.samples.at(-1)?.seconds ?? 0) / 2
  const step = (series.samples.at(-1)?.seconds ?? 0) / intervals
  return {
    title: 'Memory',
    about: [
      `One ingest gets as many single clicks as ${connections} connections can send. After ${Math.round(stalledAt)} s the broker is paused
(SIGSTOP) for ${stallMs / 1_000} s while clients continue, then resumed. ${formatCount(ingest.accepted)} clicks were accepted and
${formatCount(ingest.rejected)} rejected with 503. The first click was accepted ${ingest.acceptedAgainAfter.toFixed(1)} s after the end of the stall. All
accepted clicks were counted.`,
      `One processor drains a queue of ${formatCount(processor.clicks)} clicks. Resident memory is sampled twice a second; 1 MB is a million bytes.`,
    ],
    tables: [
      {
        ...{ of: 'resident memory', columns },
        rows: [
          row('ingest, before the load', series.samples[0]?.megabytes ?? Number.NaN),
          row('ingest, at full load', series.maximum(0, stalledAt), voided),
          row('ingest, while the broker stalls', series.maximum(stalledAt, resumedAt), voided),
          row('ingest, afterwards', series.maximum(resumedAt), voided),
          row('processor, first half of the queue', processor.series.maximum(0, half), processor.voided),
          row('processor, second half', processor.series.maximum(half), processor.voided),
        ],
      },
      {
        ...{ caption: 'Ingest over time', of: 'since the start', columns },
        rows: Array.from({ length: intervals }, (_, index) => {
          const [from, to] = [index * step, (index + 1) * step]
          const end = index === intervals - 1 ? Number.POSITIVE_INFINITY : to
          return row(`${Math.round(from)} to ${Math.round(to)} s`, series.maximum(from, end))
        }),
      },
    ],
    verdicts: [
      { target: 'ingestMemory', samples: [series.maximum()] },
      { target: 'processorMemory', samples: [processor.series.maximum()] },
    ],
    voided: [voided, processor.voided].flatMap((reason) => reason ?? []),
  }
}
