import {
  type ClickRange,
  clicksIn,
  lastHour,
  makeClicks,
  messagesOf,
  withRepeats,
} from '@clicktally/synthetic-clicks/click-messages.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import type { Measurement, Section, Stage } from '../measurement.ts'
import { copyClicks } from '../peers/copy.ts'
import { storeRowByRow } from '../peers/row-by-row.ts'
import { tableOfTurns } from '../report/figure-table.ts'
import { figureText, median } from '../report/samples.ts'
import { Turns } from '../report/turns.ts'
import { type DrainStage, drainQueue } from '../storing/queue-drain.ts'
import { createFreshDatabase, readCountedClicks, voidReason, withClient } from '../system/databases.ts'
import { fillQueue, withChannel } from '../system/queue.ts'

/** Clicks per turn of Clicktally and COPY, of the last two rows, and of row by row. */
export interface StoringAmounts {
  readonly main: number
  readonly variant: number
  readonly rowByRow: number
}

/** The figures of a turn. CPU is in seconds per million clicks. */
interface StoringTurn {
  readonly clicksPerSecond: number
  /** CPU of the program that stores. */
  readonly ownCpu?: number
  readonly postgresCpu?: number
  readonly rabbitmqCpu?: number
  /** Rows of counter deltas per click that were not yet folded at the end. */
  readonly unfolded?: number
  readonly voided: string | undefined
}

const own = 'Clicktally, one processor'
const copy = 'COPY only'
const rowByRow = 'row by row'

const amounts = {
  full: { main: 1_000_000, variant: 250_000, rowByRow: 20_000 },
  short: { main: 200_000, variant: 50_000, rowByRow: 2_000 },
}
/** A full round takes a minute. */
const maxRounds = 3
const rowByRowQueue = 'bench.row-by-row'
const dayMs = 86_400_000
const repeatedShare = 0.3

const columns = [
  { name: 'stored', unit: 'clicks/s', figure: ({ clicksPerSecond }: StoringTurn) => clicksPerSecond },
  { name: 'own', unit: 'CPU s/M', figure: ({ ownCpu }: StoringTurn) => ownCpu },
  { name: 'PostgreSQL', unit: 'CPU s/M', figure: ({ postgresCpu }: StoringTurn) => postgresCpu },
  { name: 'RabbitMQ', unit: 'CPU s/M', figure: ({ rabbitmqCpu }: StoringTurn) => rabbitmqCpu },
  { name: 'not yet folded', unit: 'rows per click', figure: ({ unfolded }: StoringTurn) => unfolded },
] as const

/** One processor draining a full queue, COPY of the same rows, and one insert and one upsert per click. */
export const storing: Measurement = {
  name: 'storing',
  title: 'one processor draining a full queue',
  run: (stage) => measureStoring(stage, stage.short ? amounts.short : amounts.full),
}

/** @param amounts each must be several times what a processor writes at once */
export async function measureStoring(stage: Stage, amounts: StoringAmounts): Promise<Section> {
  const system = await stage.system()
  await system.setProcessors(0)
  const turns = new Turns<StoringTurn>()
  stage.progress('generating clicks', 0)
  const plays = Object.entries(turnsOf({ system, stage }, amounts))
  const count = Math.min(stage.rounds, maxRounds) * plays.length
  for (let done = 0; done < count; done += 1) {
    const round = Math.floor(done / plays.length)
    const [name, play] = plays[(done + round) % plays.length] as (typeof plays)[number]
    const onShare = (share: number) => stage.progress(name, (done + share) / count)
    onShare(0)
    turns.add(name, await play(onShare))
  }
  const names = plays.map(([name]) => name)
  return sectionOf(names, turns, amounts)
}

type Play = (onShare: (share: number) => void) => Promise<StoringTurn>

function turnsOf(drainStage: DrainStage, { main, variant, rowByRow: few }: StoringAmounts): Record<string, Play> {
  const range = lastHour(main, 1)
  const mainMessages = [...messagesOf(makeClicks(range))]
  const distinct = Math.round(variant * (1 - repeatedShare))
  const distinctMessages = [...messagesOf(makeClicks(lastHour(distinct, 2)))]
  const repeated = [...withRepeats(distinctMessages, repeatedShare)]
  const oneTarget = [...messagesOf(makeClicks({ ...lastHour(variant, 3), target: '/' }))]
  const fewMessages = mainMessages.slice(0, Math.max(1, Math.round((few / main) * mainMessages.length)))
  const drain =
    (what: string, messages: typeof repeated, distinct = clicksIn(messages)): Play =>
    async (onShare) => {
      const turn = { what, messages, distinct, processors: 1, onShare }
      const { cpu, ...figures } = await drainQueue(drainStage, turn)
      return { ...figures, ownCpu: cpu.processor, postgresCpu: cpu.postgres, rabbitmqCpu: cpu.rabbitmq }
    }
  return {
    [own]: drain(own, mainMessages),
    [copy]: () => playCopy(drainStage, range),
    [rowByRow]: () => playRowByRow(drainStage, fewMessages),
    'Clicktally, 30 % sent twice': drain('30 % sent twice', repeated, distinct),
    'Clicktally, a single target': drain('a single target', oneTarget),
  }
}

async function playCopy({ system }: DrainStage, range: ClickRange): Promise<StoringTurn> {
  const database = await createFreshDatabase(system)
  try {
    await prepare(database.ownerUrl)
    return await withClient(database.ownerUrl, async (client) => {
      const [before = Number.NaN] = system.cpuOf(['postgres'])
      const { seconds, ownCpuSeconds } = await copyClicks(client, range)
      const [after = Number.NaN] = system.cpuOf(['postgres'])
      const { stored } = await readCountedClicks(client)
      return {
        clicksPerSecond: range.clicks / seconds,
        ownCpu: (ownCpuSeconds / range.clicks) * 1e6,
        postgresCpu: ((after - before) / range.clicks) * 1e6,
        // COPY counts nothing.
        voided: voidReason(copy, range.clicks, { stored, counted: stored }),
      }
    })
  } finally {
    await database.drop()
  }
}

async function playRowByRow(
  { system, stage: { signal } }: DrainStage,
  messages: Parameters<typeof clicksIn>[0],
): Promise<StoringTurn> {
  const clicks = clicksIn(messages)
  const { amqpUrl } = system
  const database = await createFreshDatabase(system)
  try {
    await fillQueue(rowByRowQueue, messages, { amqpUrl, signal })
    await prepare(database.ownerUrl)
    const settings = { amqpUrl, queue: rowByRowQueue, databaseUrl: database.ownerUrl, clicks, signal }
    const { seconds, counted } = await storeRowByRow(settings)
    const { stored } = await withClient(database.ownerUrl, readCountedClicks)
    return { clicksPerSecond: clicks / seconds, voided: voidReason(rowByRow, clicks, { stored, counted }) }
  } finally {
    await withChannel(amqpUrl, (channel) => channel.deleteQueue(rowByRowQueue))
    await database.drop()
  }
}

/** Creates the partitions, as a processor does at its start, and a checkpoint, so that no turn pays for an earlier one. */
async function prepare(ownerUrl: string): Promise<void> {
  await withClient(ownerUrl, async (client) => {
    for (const timeMs of [Date.now() - dayMs, Date.now()])
      await client.query('select create_click_partition($1::date)', [new Date(timeMs).toISOString().slice(0, 10)])
    await client.query('checkpoint')
  })
}

function sectionOf(names: readonly string[], turns: Turns<StoringTurn>, amounts: StoringAmounts): Section {
  const rate = ({ clicksPerSecond }: StoringTurn) => clicksPerSecond
  const rows = names.map((name) => ({ name, turns: turns.of(name), voided: turns.voided(name, (turn) => turn.voided) }))
  return {
    title: 'Storing',
    about: [
      `The queue is filled while no processor runs: ${formatCount(amounts.main)} clicks of the last hour in chronological order, 200 per message, as
ingest groups them under load. Then one processor starts. Its rate counts from the first commit seen in the ledger to the last one (polled every
100 ms), so it excludes the start and includes everything that a click needs: reading the message, finding duplicates, the raw click, the counter
deltas with their visitors, the ledger, the commit and the acknowledgement. Counts are correct after the commit. Folding the deltas into one row
per counter continues in the background; the last column shows how many were left when the last click was stored.`,
      `*${copy}* gets equal rows as bytes in memory in the binary format of COPY, into the same table with the same primary key, in one
transaction over one connection, measured from the first byte to the commit. It looks up, counts and acknowledges nothing: it is the upper bound
for storing these rows, not a way to count clicks.`,
      `*${rowByRow}* is what many tutorials do: it takes the same messages from a queue of the same kind (${formatCount(amounts.rowByRow)} clicks),
and runs a transaction with one INSERT and, if the click is new, one UPSERT per click, with prepared statements over one connection.`,
      `The last two rows drain ${formatCount(amounts.variant)} clicks each. Every turn gets a fresh database on the same server, after a checkpoint.
After each turn, the stored clicks, the sum of the counters and the distinct clicks sent must be equal.`,
    ],
    tables: [tableOfTurns('what stores', columns, rows)],
    verdicts: [
      { target: 'storingCopy', samples: turns.ratios(own, copy, rate), note: cpuNote(turns) },
      { target: 'storingRowByRow', samples: turns.ratios(own, rowByRow, rate) },
    ],
    voided: rows.flatMap(({ voided }) => voided ?? []),
  }
}

function cpuNote(turns: Turns<StoringTurn>): string {
  const seconds = (name: string, part: 'ownCpu' | 'postgresCpu' | 'rabbitmqCpu') =>
    median(turns.figures(name, (turn) => turn[part]))
  const [processor, postgres] = [seconds(own, 'ownCpu'), seconds(own, 'postgresCpu')]
  const all = processor + postgres + seconds(own, 'rabbitmqCpu')
  return (
    `a million clicks take ${figureText(all)} s of CPU: ${figureText(processor)} s for reading messages and making rows, and ` +
    `${figureText(postgres)} s in PostgreSQL, of which COPY takes ${figureText(seconds(copy, 'postgresCpu'))} s and counter deltas, ` +
    `folding and the ledger take the rest; two cores can do at most ${figureText(2e6 / all)} clicks/s`
  )
}
