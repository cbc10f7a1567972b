import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerStall, untilAccepted } from '../broker-stall.ts'
import { ClickOracle } from '../click-oracle.ts'
import { LoadGenerator } from '../load-generator.ts'
import type { BenchSystem, FigureRow, Measurement, Section, Stage } from '../measurement.ts'
import { type MemorySample, MemorySeries, mostBetween } from '../memory-series.ts'
import { OwnDatabases } from '../own-database.ts'
import { drainQueue } from '../queue-drain.ts'
import { clicksIn, makeClicks, messagesOf } from '../queue-messages.ts'

const connections = 256
const hourMs = 3_600_000
const acceptedAgainWithinMs = 60_000
/** A row of the series for each such part of a run. */
const parts = 10

interface IngestRun {
  readonly samples: readonly MemorySample[]
  /** Since the beginning: when the broker stalled, and when it went on. */
  readonly stalledAt: number
  readonly restoredAt: number
  readonly acceptedAgainAfter: number
  readonly accepted: number
  readonly refused: number
  readonly voided: string | undefined
}

interface ProcessorRun {
  readonly samples: readonly MemorySample[]
  readonly clicks: number
  readonly voided: string | undefined
}

/** What ingest holds while the broker stalls, and a processor before a long queue. */
export const memory: Measurement = {
  name: 'memory',
  title: 'resident memory under load, through a stall, before a long queue',
  run: async (stage) => {
    const system = await stage.system()
    const ingest = await runIngest(stage, system)
    const processor = await runProcessor(stage, system)
    return sectionOf(ingest, processor, stage.short)
  },
}

async function runIngest(stage: Stage, system: BenchSystem): Promise<IngestRun> {
  const { short, signal, dir } = stage
  const [loadMs, stallMs, afterMs] = short ? [4_000, 7_000, 4_000] : [20_000, 120_000, 15_000]
  const wholeMs = loadMs + stallMs + afterMs
  const generator = await LoadGenerator.find(signal)
  const oracle = await ClickOracle.begin(system)
  const series = new MemorySeries(system.processesOf('ingest'))
  const wait = async (what: string, ms: number, fromMs: number) => {
    stage.progress(what, (0.7 * fromMs) / wholeMs)
    await sleep(ms, undefined, { signal })
  }
  const load = generator.run({
    url: system.ingestUrl,
    content: { kind: 'clicks', clicksPerRequest: 1, seed: 8 },
    ...{ connections, warmUpMs: 0, measuredMs: wholeMs, answersWithinMs: 6_000, dir, signal },
  })
  // Whatever is awaited first, a failure of the load is told where it is awaited.
  load.catch(() => {})
  let stall: BrokerStall | undefined
  try {
    await wait('ingest at full load', loadMs, 0)
    const stalledAt = series.seconds
    stall = BrokerStall.begin(system)
    await wait('the broker stalls', stallMs, loadMs)
    stall.end()
    const restoredAt = series.seconds
    stage.progress('the broker is back', (0.7 * (loadMs + stallMs)) / wholeMs)
    const onSent = (accepted: boolean) => oracle.add(accepted ? 1 : 0, 1)
    const acceptedAgainAfter = await untilAccepted(system.ingestUrl, acceptedAgainWithinMs, signal, onSent)
    const { sent, succeeded, failed } = await load
    await series.stop()
    oracle.add(succeeded, sent)
    const voided = await oracle.ask()
    return {
      ...{ samples: series.samples, stalledAt, restoredAt, acceptedAgainAfter },
      ...{ accepted: succeeded, refused: failed, voided },
    }
  } finally {
    stall?.end()
    await series.stop()
  }
}

async function runProcessor(stage: Stage, system: BenchSystem): Promise<ProcessorRun> {
  await system.setProcessors(0)
  const databases = await OwnDatabases.open(system)
  let series: MemorySeries | undefined
  try {
    const nowMs = Date.now()
    const lastHour = { fromMs: nowMs - hourMs, toMs: nowMs }
    stage.progress('a long queue is filled', 0.7)
    const messages = [...messagesOf(makeClicks({ clicks: stage.short ? 100_000 : 1_000_000, seed: 9, ...lastHour }))]
    const clicks = clicksIn(messages)
    const { voided } = await drainQueue(
      { system, databases, stage },
      {
        ...{ what: 'a long queue', messages, clicks, distinct: clicks, processors: 1 },
        onProcessors: (processors) => {
          series = new MemorySeries(processors.flatMap(({ program }) => program.pid ?? []))
        },
        onShare: (share) => stage.progress('a long queue is drained', 0.7 + 0.3 * share),
      },
    )
    return { samples: series?.samples ?? [], clicks, voided }
  } finally {
    await series?.stop()
    await databases.close()
  }
}

function sectionOf(ingest: IngestRun, processor: ProcessorRun, short: boolean): Section {
  const figure = (value: number) => value.toLocaleString('en-US')
  const { stalledAt, restoredAt, acceptedAgainAfter, accepted, refused } = ingest
  const first = ingest.samples[0]?.megabytes ?? Number.NaN
  const ends = processor.samples.at(-1)?.seconds ?? 0
  const row = (name: string, megabytes: number, voided: string | undefined): FigureRow => ({
    name,
    cells: [[megabytes]],
    ...(voided !== undefined && { voided }),
  })
  return {
    title: 'Memory',
    about: [
      `One ingest gets as many single clicks as ${connections} connections take. After ${Math.round(stalledAt)} s the broker is stopped where it stands (SIGSTOP) ` +
        `for ${short ? '7 s' : '2 minutes'}, while clients go on; then it goes on. ${figure(accepted)} clicks were accepted and ${figure(refused)} refused (503); the first was accepted ` +
        `again ${acceptedAgainAfter.toFixed(1)} s after the end of the stall. In the end what was accepted was counted.`,
      `One processor drains a queue of ${figure(processor.clicks)} clicks. Resident memory is read twice a second; a megabyte is a million bytes.`,
    ],
    tables: [
      {
        of: 'resident memory',
        columns: [{ name: 'the most', unit: 'MB' }],
        rows: [
          row('ingest, before the load', first, undefined),
          row('ingest, at full load', mostBetween(ingest.samples, 0, stalledAt), ingest.voided),
          row('ingest, while the broker stalls', mostBetween(ingest.samples, stalledAt, restoredAt), ingest.voided),
          row('ingest, afterwards', mostBetween(ingest.samples, restoredAt, Infinity), ingest.voided),
          row('processor, first half of the queue', mostBetween(processor.samples, 0, ends / 2), processor.voided),
          row('processor, second half', mostBetween(processor.samples, ends / 2, Infinity), processor.voided),
        ],
      },
      seriesTable(ingest.samples),
    ],
    verdicts: [
      { target: 'ingestMemory', samples: [mostBetween(ingest.samples, 0, Infinity)] },
      { target: 'processorMemory', samples: [mostBetween(processor.samples, 0, Infinity)] },
    ],
    voided: [ingest.voided, processor.voided].flatMap((reason) => reason ?? []),
  }
}

/** Ingest's memory over time. */
function seriesTable(samples: readonly MemorySample[]) {
  const step = (samples.at(-1)?.seconds ?? 0) / parts
  const rows = Array.from({ length: parts }, (_, part): FigureRow => {
    const [from, to] = [part * step, (part + 1) * step]
    return {
      name: `${Math.round(from)} to ${Math.round(to)} s`,
      cells: [[mostBetween(samples, from, part === parts - 1 ? Infinity : to)]],
    }
  })
  return { caption: 'Ingest over time', of: 'from the beginning', columns: [{ name: 'the most', unit: 'MB' }], rows }
}
