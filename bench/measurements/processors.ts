import { ChildTask } from '../child-task.ts'
import type { FigureRow, Measurement, Section, Stage } from '../measurement.ts'
import { OwnDatabases, withClient } from '../own-database.ts'
import type { Distance, DistanceSettings } from '../peers/distance.ts'
import { type DrainFigures, drainQueue } from '../queue-drain.ts'
import { clicksIn, makeClicks, messagesOf, type QueueMessage } from '../queue-messages.ts'
import { median, pairedRatios } from '../samples.ts'

const latencyMs = 10
const counts = [1, 2, 4] as const
const hourMs = 3_600_000
const roundTrips = 20
/** Of `clicksEach`, those that are drained before the figures begin. */
const warmUpClicksEach = 10_000
const openWithinMs = 10_000

interface Setting {
  readonly name: string
  readonly variables: Record<string, string>
  /** Clicks for each processor, so that each number of them takes about the same time. */
  readonly clicksEach: number
}

interface Turn {
  readonly setting: Setting
  readonly count: number
  readonly figures: DrainFigures
}

/** One, two and four processors, as far from the database as another data centre. */
export const processors: Measurement = {
  name: 'processors',
  title: 'processors, 20 ms away from the database',
  run: measureProcessors,
}

async function measureProcessors(stage: Stage): Promise<Section> {
  const settings = settingsFor(stage.short)
  const system = await stage.system()
  await system.setProcessors(0)
  const databases = await OwnDatabases.open(system)
  const target: DistanceSettings = { port: Number(new URL(system.postgresUrl).port), latencyMs }
  const distance = ChildTask.start<Distance>('peers/distance.ts', target, stage.signal)
  const turns: Turn[] = []
  try {
    const { port } = await distance.result(openWithinMs)
    const databaseUrl = (url: string) => throughPort(url, port)
    const roundTripMs = await measureRoundTrip(databaseUrl(system.postgresUrl))
    const plan = planOf(settings, stage.short ? 1 : Math.min(stage.rounds, 3))
    for (const { setting, count } of plan) {
      const what = turnName(setting, count)
      const onShare = (share: number) => stage.progress(what, (turns.length + share) / plan.length)
      onShare(0)
      const messages = makeMessages(setting.clicksEach * count)
      const clicks = clicksIn(messages)
      const { variables } = setting
      const turn = {
        ...{ what, messages, clicks, distinct: clicks, processors: count, variables, databaseUrl, onShare },
        warmUpClicks: warmUpClicksEach * count,
      }
      turns.push({ setting, count, figures: await drainQueue({ system, databases, stage }, turn) })
    }
    return sectionOf(settings, turns, roundTripMs)
  } finally {
    await distance.stop()
    await databases.close()
  }
}

function settingsFor(short: boolean): Setting[] {
  return [
    // A message is a batch, and a processor has few of them at a time: so the queue is shared evenly to its end. So many of
    // them that counters are folded while they are drained, each 3 s, whoever drains.
    {
      name: '200 clicks a batch',
      variables: { BATCH_MAX_CLICKS: '200', PREFETCH: '4' },
      clicksEach: short ? 30_000 : 50_000,
    },
    { name: 'batches as they are', variables: {}, clicksEach: short ? 30_000 : 150_000 },
  ]
}

/** Interleaved: in each round each number of processors has its turn. */
function planOf(settings: readonly Setting[], rounds: number): { setting: Setting; count: number }[] {
  return Array.from({ length: rounds }, (_, round) =>
    settings.flatMap((setting) =>
      counts.map((_, place) => ({ setting, count: counts[(place + round) % counts.length] ?? 1 })),
    ),
  ).flat()
}

function turnName({ name }: Setting, count: number): string {
  return `${name}, ${count} ${count === 1 ? 'processor' : 'processors'}`
}

function makeMessages(clicks: number): QueueMessage[] {
  const nowMs = Date.now()
  return [...messagesOf(makeClicks({ clicks, seed: 4, fromMs: nowMs - hourMs, toMs: nowMs }))]
}

/** As a processor meets it, in milliseconds: the median of a statement that does nothing. */
async function measureRoundTrip(url: string): Promise<number> {
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

function throughPort(url: string, port: number): string {
  const through = new URL(url)
  through.port = String(port)
  return through.href
}

function sectionOf(settings: readonly Setting[], turns: readonly Turn[], roundTripMs: number): Section {
  const figuresOf = (setting: Setting | undefined, count: number) =>
    turns.filter((turn) => turn.setting === setting && turn.count === count).map(({ figures }) => figures)
  const speeds = (setting: Setting | undefined, count: number) =>
    figuresOf(setting, count).map(({ clicksPerSecond }) => clicksPerSecond)
  const rows = settings.flatMap((setting) =>
    counts.map((count): FigureRow => {
      const figures = figuresOf(setting, count)
      const voided = figures.find((each) => each.voided !== undefined)?.voided
      return {
        name: turnName(setting, count),
        cells: [
          speeds(setting, count),
          count === 1 ? undefined : pairedRatios(speeds(setting, count), speeds(setting, 1)),
          figures.map(coresUsed),
        ],
        ...(voided !== undefined && { voided }),
      }
    }),
  )
  return {
    title: 'More processors',
    about: [
      'Between the processors and the database every byte takes 10 ms longer, each way, through a program of its own; the ' +
        `round trip of an empty statement takes ${roundTripMs.toFixed(1)} ms. A full queue is drained by one, two and four processors in turn, ` +
        'each time into a fresh database; the rate is taken from the first commit that is seen when all of them run and have ' +
        'stored 10,000 clicks each, on the average, to the last. Until then they get warm, for which several need more cores ' +
        'than there are here.',
      'With batches of 200 clicks the distance is what takes the time, as it is meant here: what is seen is whether processors ' +
        'wait for each other. With batches as they are, one processor gains so much from them that the cores of this machine, ' +
        'which have to carry the database too, are what is scarce: the column beside says how many were at work.',
    ],
    tables: [
      {
        of: 'what drains the queue',
        columns: [
          { name: 'stored', unit: 'clicks/s' },
          { name: 'against one processor', unit: '×' },
          { name: 'processors, PostgreSQL and RabbitMQ at work', unit: 'cores' },
        ],
        rows,
      },
    ],
    verdicts: [{ target: 'fourProcessors', samples: pairedRatios(speeds(settings[0], 4), speeds(settings[0], 1)) }],
    voided: turns.flatMap(({ figures }) => figures.voided ?? []),
  }
}

/** How many cores the processors, the database and the broker kept busy, on the average. */
function coresUsed({ cpu, clicksPerSecond }: DrainFigures): number {
  return ((cpu.processor + cpu.postgres + cpu.rabbitmq) * clicksPerSecond) / 1e6
}
