import { lastHour, makeClicks, messagesOf } from '@clicktally/synthetic-clicks/click-messages.ts'
import { TcpProxy } from '@clicktally/testing/tcp-proxy.ts'
import type { Measurement, Section, Stage } from '../measurement.ts'
import { tableOfTurns } from '../report/figure-table.ts'
import { median } from '../report/samples.ts'
import { Turns } from '../report/turns.ts'
import { type DrainResult, drainQueue } from '../storing/queue-drain.ts'
import { withClient } from '../system/databases.ts'

const latencyMs = 10
const counts = [1, 2, 4] as const
const roundTrips = 20
/** Clicks per processor that are drained before the figures begin. */
const warmUpClicks = 10_000
const maxRounds = 3

interface Setting {
  readonly name: string
  readonly variables: Record<string, string>
  /** Clicks per processor, so that all numbers of processors take about the same time. */
  readonly clicks: number
}

/** One, two and four processors, as far from the database as another data centre. */
export const processors: Measurement = {
  name: 'processors',
  title: 'processors with a 20 ms round trip to the database',
  run: measureProcessors,
}

async function measureProcessors(stage: Stage): Promise<Section> {
  const settings = settingsOf(stage.short)
  const system = await stage.system()
  await system.setProcessors(0)
  const proxy = await TcpProxy.open({ host: '127.0.0.1', port: Number(new URL(system.postgresUrl).port) })
  proxy.delay(latencyMs)
  const turns = new Turns<DrainResult>()
  try {
    const databaseUrl = (url: string) => Object.assign(new URL(url), { port: String(proxy.port) }).href
    const roundTripMs = await medianRoundTrip(databaseUrl(system.postgresUrl))
    const rounds = stage.short ? 1 : Math.min(stage.rounds, maxRounds)
    const count = rounds * settings.length * counts.length
    for (let done = 0; done < count; done += 1) {
      const round = Math.floor(done / (settings.length * counts.length))
      const setting = settings[Math.floor(done / counts.length) % settings.length] as Setting
      const processors = counts[(done + round) % counts.length] ?? 1
      const what = nameOf(setting, processors)
      const { variables, clicks } = setting
      const messages = [...messagesOf(makeClicks(lastHour(clicks * processors, 4)))]
      const figures = await drainQueue(
        { system, stage },
        {
          ...{ what, messages, processors, variables, databaseUrl, warmUpClicks: warmUpClicks * processors },
          onShare: (share) => stage.progress(what, (done + share) / count),
        },
      )
      turns.add(what, figures)
    }
    return sectionOf(settings, turns, roundTripMs)
  } finally {
    await proxy.close()
  }
}

function settingsOf(short: boolean): Setting[] {
  return [
    {
      name: '200 clicks per batch',
      // A message is a batch, and a processor holds few of them, so the queue is shared evenly to its end.
      variables: { BATCH_MAX_CLICKS: '200', PREFETCH: '4' },
      // Draining them takes longer than the 3 s between folds, so folding is included.
      clicks: short ? 30_000 : 50_000,
    },
    { name: 'default batches', variables: {}, clicks: short ? 30_000 : 150_000 },
  ]
}

function nameOf({ name }: Setting, processors: number): string {
  return `${name}, ${processors} ${processors === 1 ? 'processor' : 'processors'}`
}

/** Duration of a statement that does nothing, in milliseconds. */
async function medianRoundTrip(url: string): Promise<number> {
  return await withClient(url, async (client) => {
    const times: number[] = []
    for (let count = 0; count < roundTrips; count += 1) {
      const startedAtMs = performance.now()
      await client.query('select')
      times.push(performance.now() - startedAtMs)
    }
    return median(times)
  })
}

function sectionOf(settings: readonly Setting[], turns: Turns<DrainResult>, roundTripMs: number): Section {
  const rate = ({ clicksPerSecond }: DrainResult) => clicksPerSecond
  const ratios = (setting: Setting, processors: number) =>
    turns.ratios(nameOf(setting, processors), nameOf(setting, 1), rate)
  const cores = ({ cpu, clicksPerSecond }: DrainResult) =>
    ((cpu.processor + cpu.postgres + cpu.rabbitmq) * clicksPerSecond) / 1e6
  const variants = settings.flatMap((setting) => counts.map((processors) => ({ setting, processors })))
  const table = tableOfTurns<DrainResult>(
    'what drains the queue',
    [
      { name: 'stored', unit: 'clicks/s', figure: rate },
      { name: 'relative to one processor', unit: '×', figure: () => undefined },
      { name: 'CPU of processors, PostgreSQL and RabbitMQ', unit: 'cores', figure: cores },
    ],
    variants.map(({ setting, processors }) => {
      const name = nameOf(setting, processors)
      return { name, turns: turns.of(name), voided: turns.voided(name, (turn) => turn.voided) }
    }),
  )
  const rows = table.rows.map(({ cells: [stored, , used], ...row }, index) => {
    const { setting, processors } = variants[index] as (typeof variants)[number]
    return { ...row, cells: [stored, processors === 1 ? undefined : ratios(setting, processors), used] }
  })
  return {
    title: 'More processors',
    about: [
      `A proxy between the processors and the database delays every byte by ${latencyMs} ms in each direction; the round trip of an empty statement
takes ${roundTripMs.toFixed(1)} ms. One, two and four processors take turns draining a full queue into a fresh database. The rate counts from the first
commit seen when all of them run and have stored 10,000 clicks each on average, to the last one. They warm up until then, for which several of them
need more cores than this machine has.`,
      `With 200 clicks per batch, the network latency dominates, as intended here: the figures show whether processors wait for each other. With
default batches, one processor already uses more than half of the CPU of this machine, which also runs the database.`,
    ],
    tables: [{ ...table, rows }],
    verdicts: settings.slice(0, 1).map((setting) => ({ target: 'fourProcessors', samples: ratios(setting, 4) })),
    voided: rows.flatMap(({ voided }) => voided ?? []),
  }
}
