import { timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { clicksMessageType } from '@clicktally/message/clicks-message.ts'
import type { PoolClient } from 'pg'
import { verdictOn } from '../queue/failure-policy.ts'
import { arrange } from '../rows/click-batch.ts'
import { type ClickRow, compareKeys, decodeLine, idOf, lineOf } from '../rows/click-row.ts'
import type { ConsumedMessage, DeadLetter } from '../rows/consumed-message.ts'
import type { CountClicks } from './count-clicks.ts'

/** What became of a message of which the database refused clicks: those are in the dead letters. */
export interface CountedDespiteRefusals {
  /** Those that were new. */
  readonly clicks: readonly ClickRow[]
  /** How many were stored already. */
  readonly duplicates: number
  readonly refused: readonly DeadLetter[]
}

/**
 * Counts one message, some of whose clicks the database refuses: halves until each of them is alone, and stores it as a dead
 * letter. There is a savepoint for each attempt.
 *
 * @param client in a transaction that holds the ledger
 * @throws the database error, if it is not about a click
 */
export async function countDespiteRefusals(
  client: PoolClient,
  countClicks: CountClicks,
  message: ConsumedMessage,
): Promise<CountedDespiteRefusals> {
  const keptSinceMs = await readKeptSince(client)
  const isKept = (click: ClickRow) => timeOfUuidV7(idOf(click)) >= keptSinceMs(click)
  // In the order of the key, like all writers: several statements of one transaction would otherwise deadlock with others.
  const part = await countPart(client, countClicks, message.clicks.filter(isKept).sort(compareKeys))
  const { clicks, duplicates } = part
  const old = message.clicks.filter((click) => !isKept(click))
  const refused = [...part.refused, ...old.map((click) => clickBeforeHorizon(click, keptSinceMs(click)))]
  const deadLetters = [...message.deadLetters, ...refused]
  const entry = { stamp: message.stamp, clicks: [], deadLetters, before: { counted: clicks.length, duplicates } }
  await countClicks(client, arrange([entry]))
  return { clicks, duplicates, refused }
}

async function countPart(
  client: PoolClient,
  countClicks: CountClicks,
  clicks: readonly ClickRow[],
): Promise<CountedDespiteRefusals> {
  const [only] = clicks
  if (only === undefined) return { clicks: [], duplicates: 0, refused: [] }
  await client.query('savepoint part')
  try {
    const counted = await countClicks(client, arrange([], clicks))
    await client.query('release part')
    return { clicks: counted, duplicates: clicks.length - counted.length, refused: [] }
  } catch (error) {
    const verdict = verdictOn(error)
    if (verdict === 'wait') throw error
    await client.query('rollback to part')
    await client.query('release part')
    if (clicks.length === 1)
      return { clicks: [], duplicates: 0, refused: [deadClick(only, 'refused_by_database', (error as Error).message)] }
  }
  const middle = clicks.length >> 1
  const first = await countPart(client, countClicks, clicks.slice(0, middle))
  const second = await countPart(client, countClicks, clicks.slice(middle))
  return {
    clicks: [...first.clicks, ...second.clicks],
    duplicates: first.duplicates + second.duplicates,
    refused: [...first.refused, ...second.refused],
  }
}

/** An earlier copy of the click may have been dropped: if it were counted now, it might be counted twice. */
function clickBeforeHorizon(click: ClickRow, keptSinceMs: number): DeadLetter {
  const keptSince = new Date(keptSinceMs).toISOString()
  const detail = `Its id is older than ${keptSince}, since when raw clicks are kept: whether it was counted is no longer known.`
  return deadClick(click, 'id_before_horizon', detail)
}

/** Since when raw clicks like this are kept: milliseconds since 1970, -Infinity if none were ever removed. */
async function readKeptSince(client: PoolClient): Promise<(click: ClickRow) => number> {
  const { rows } = await client.query<{ project_id: number | null; kept_since_ms: number }>(
    `select null as project_id, extract(epoch from kept_since)::float8 * 1000 as kept_since_ms from raw_clicks
     union all
     select project_id, extract(epoch from kept_since)::float8 * 1000 from project_horizons`,
  )
  const horizons = new Map(rows.map((row) => [row.project_id, row.kept_since_ms]))
  const ofAll = horizons.get(null)
  if (ofAll === undefined) throw new Error('raw_clicks has no row')
  return ({ projectId }) => Math.max(ofAll, horizons.get(projectId) ?? -Infinity)
}

function deadClick(click: ClickRow, reason: string, detail: string): DeadLetter {
  return {
    reason,
    detail,
    type: clicksMessageType,
    content: lineOf(click),
    clicks: 1,
    clickIds: [idOf(click)],
    clickProjects: [click.projectId],
    requestId: decodeLine(click).requestId,
  }
}
