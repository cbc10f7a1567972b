import { figureText } from '../figure-text.ts'
import type { FigureRow, FigureTable, Measurement, Section, Stage } from '../measurement.ts'
import { OwnDatabases } from '../own-database.ts'
import { median } from '../samples.ts'
import {
  type StoringAmounts,
  type StoringName,
  type StoringTurn,
  StoringTurns,
  storingNames,
} from '../storing-turns.ts'

const shortAmounts = { main: 200_000, variant: 50_000, rowByRow: 2_000 }
const fullAmounts = { main: 1_000_000, variant: 250_000, rowByRow: 20_000 }
/** A round takes a minute in full, and a quarter of it in short. */
const mostRounds = { full: 3, short: 2 }
const order = Object.keys(storingNames) as StoringName[]

type Found = Readonly<Record<StoringName, StoringTurn[]>>

/** One processor drains a full queue, beside COPY of the same rows and beside one insert and one upsert a click. */
export const storing: Measurement = {
  name: 'storing',
  title: 'storing, one processor drains a full queue',
  run: (stage) => measureStoring(stage, stage.short ? shortAmounts : fullAmounts),
}

/** The measurement with amounts of its own: each must be several times what a processor writes at once. */
export async function measureStoring(stage: Stage, amounts: StoringAmounts): Promise<Section> {
  const system = await stage.system()
  await system.setProcessors(0)
  const databases = await OwnDatabases.open(system)
  const found: Found = { clicktally: [], copy: [], rowByRow: [], repeats: [], oneTarget: [] }
  try {
    stage.progress('making clicks', 0)
    const turns = await StoringTurns.prepare({ system, databases, stage }, amounts)
    const count = Math.min(stage.rounds, mostRounds[stage.short ? 'short' : 'full']) * order.length
    for (let done = 0; done < count; done += 1) {
      const round = Math.floor(done / order.length)
      // Who is first in one round is last in the next.
      const name = order[(done + round) % order.length] as StoringName
      const onShare = (share: number) => stage.progress(storingNames[name], (done + share) / count)
      onShare(0)
      found[name].push(await turns.play(name, onShare))
    }
  } finally {
    await databases.close()
  }
  return sectionOf(found, amounts)
}

function sectionOf(found: Found, amounts: StoringAmounts): Section {
  const ratios = (name: StoringName) =>
    found[name].map(({ clicksPerSecond }, round) => (found.clicktally[round]?.clicksPerSecond ?? 0) / clicksPerSecond)
  return {
    title: 'Storing',
    about: aboutStoring(amounts),
    tables: [tableOf(found)],
    verdicts: [
      { target: 'storingCopy', samples: ratios('copy'), note: noteOn(found) },
      { target: 'storingRowByRow', samples: ratios('rowByRow') },
    ],
    voided: Object.values(found).flatMap((turns) => turns.flatMap(({ voided }) => voided ?? [])),
  }
}

function noteOn({ clicktally, copy }: Found): string {
  const seconds = (turns: readonly StoringTurn[], part: 'ownCpu' | 'postgresCpu' | 'rabbitmqCpu') =>
    median(turns.flatMap((turn) => turn[part] ?? []))
  const [own, postgres, rabbitmq] = (['ownCpu', 'postgresCpu', 'rabbitmqCpu'] as const).map((part) =>
    seconds(clicktally, part),
  )
  const all = (own ?? 0) + (postgres ?? 0) + (rabbitmq ?? 0)
  return (
    `a million clicks take ${figureText(all)} s of CPU, ${figureText(own ?? 0)} of them reading messages and making rows, ` +
    `${figureText(postgres ?? 0)} in PostgreSQL, where COPY alone takes ${figureText(seconds(copy, 'postgresCpu'))} and the rest is ` +
    'the additions to the counters, their folding and the ledger: two cores can do no more than ' +
    `${figureText(2_000_000 / all)} clicks/s`
  )
}

function tableOf(found: Found): FigureTable {
  return {
    of: 'what stores',
    columns: [
      { name: 'stored', unit: 'clicks/s' },
      { name: 'itself', unit: 'CPU s per million' },
      { name: 'PostgreSQL', unit: 'CPU s per million' },
      { name: 'RabbitMQ', unit: 'CPU s per million' },
      { name: 'left to be folded', unit: 'rows per click' },
    ],
    rows: order.map((name) => rowOf(name, found[name])),
  }
}

function rowOf(name: StoringName, turns: readonly StoringTurn[]): FigureRow {
  const voided = turns.find((turn) => turn.voided !== undefined)?.voided
  const cells = (['clicksPerSecond', 'ownCpu', 'postgresCpu', 'rabbitmqCpu', 'unfolded'] as const).map((column) => {
    const samples = turns.flatMap((turn) => turn[column] ?? [])
    return samples.length > 0 ? samples : undefined
  })
  return { name: storingNames[name], cells, ...(voided !== undefined && { voided }) }
}

function aboutStoring({ main, variant, rowByRow }: StoringAmounts): string[] {
  const figure = (value: number) => value.toLocaleString('en-US')
  return [
    `The queue is filled while no processor runs: ${figure(main)} clicks of the last hour, in the order of their time, 200 a message, ` +
      'as an ingest under load makes them. Then one processor is started. Its rate is taken from the first commit that is seen ' +
      'in the ledger to the last (asked every 100 ms), so its start is left out and all that a click needs is in: reading the ' +
      'message, finding duplicates, raw click, additions to the counters with their visitors, ledger, commit, acknowledgement. Counts ' +
      'are right from the commit on; folding the additions into one row a counter goes on beside it, and the last column says how ' +
      'many of them were left when the last click was stored.',
    'COPY gets the same rows, as bytes in its binary form that lie ready in memory, into the same table with the same primary ' +
      'key, in one transaction over one connection, and is measured from the first byte to the commit. Nothing is looked up, ' +
      'counted or acknowledged: it is the limit for whoever stores these rows, and not a way to count clicks.',
    `Row by row is what most tutorials do: it takes the same messages from a queue of the same kind (${figure(rowByRow)} clicks of them), and does ` +
      'for each click a transaction of one INSERT and, where the click is new, one UPSERT, with prepared statements over one connection.',
    `The last two rows drain ${figure(variant)} clicks each. Everyone works in a fresh database on the same server, after a checkpoint, ` +
      'in turn. After each turn: clicks stored = sum of the counters = different clicks sent.',
  ]
}
