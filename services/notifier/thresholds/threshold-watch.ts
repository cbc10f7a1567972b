import { asOfQuery } from '@clicktally/database/freshness.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { ThresholdEvent } from '@clicktally/operations/webhook-events.ts'
import { type Kysely, type Selectable, sql, type Transaction } from 'kysely'
import { type Crossing, judge } from './judge.ts'
import { clicksInWindows, type Window } from './window-clicks.ts'

const minuteMs = 60_000
/** A minute is judged this long after its end, so that clicks which were on their way are in it. */
const graceMs = 10_000
/** Thresholds in one transaction, and minutes of each: both bound its duration, also after a long pause. */
const maxThresholds = 10
const maxMinutes = 1_440

type Row = Selectable<Tables['thresholds']> & { readonly project: string }

/**
 * Judges the thresholds by counts, and creates an event for each crossing together with its deliveries. All of it is one
 * transaction, so that a crossing is told exactly once, whenever an instance is killed. Instances skip what another one has locked.
 *
 * A minute is judged only when everything accepted in it has been counted: while counting is behind, nothing is `silent`.
 */
export async function judgeThresholds(db: Kysely<Tables>): Promise<void> {
  // Read before the counts, which then have at least what was accepted before it.
  const { rows } = await sql<{ as_of: Date | null }>`${sql.raw(asOfQuery)}`.execute(db)
  const asOf = rows[0]?.as_of
  if (asOf == null) return
  const through = new Date(floorToMinute(asOf.getTime() - graceMs))
  while ((await judgeSome(db, through)) > 0);
}

/** @returns how many thresholds were judged */
async function judgeSome(db: Kysely<Tables>, through: Date): Promise<number> {
  return await db.transaction().execute(async (transaction) => {
    const thresholds: Row[] = await transaction
      .selectFrom('thresholds')
      .innerJoin('projects', 'projects.id', 'thresholds.project_id')
      .selectAll('thresholds')
      .select('projects.name as project')
      .where('judged_through', '<', through)
      .orderBy('judged_through')
      .limit(maxThresholds)
      .forUpdate('thresholds')
      .skipLocked()
      .execute()
    if (thresholds.length === 0) return 0
    const windows = thresholds.map((threshold) => windowOf(threshold, through))
    const clicks = await clicksInWindows(transaction, windows)
    for (const [place, threshold] of thresholds.entries()) {
      await judgeOne(transaction, threshold, windows[place] as Window, clicks[place] as Map<number, number>)
    }
    return thresholds.length
  })
}

/** The clicks that judging the next minutes needs: those of the minutes, and of the windows that end with them. */
function windowOf({ project_id, target, judged_through, window_minutes, starts_at }: Row, through: Date): Window {
  const judgedMs = judged_through.getTime()
  return {
    projectId: project_id,
    target: target ?? '',
    fromMs: Math.max(starts_at.getTime(), judgedMs - window_minutes * minuteMs),
    toMs: Math.min(through.getTime(), judgedMs + maxMinutes * minuteMs),
  }
}

async function judgeOne(
  transaction: Transaction<Tables>,
  threshold: Row,
  { toMs }: Window,
  clicks: ReadonlyMap<number, number>,
): Promise<void> {
  const { state, crossings } = judge(
    {
      clicks: threshold.clicks ?? undefined,
      windowMinutes: threshold.window_minutes,
      startsAtMs: threshold.starts_at.getTime(),
    },
    { judgedThroughMs: threshold.judged_through.getTime(), metAtMs: threshold.met_at?.getTime() },
    toMs,
    (atMs) => clicks.get(atMs) ?? 0,
  )
  await transaction
    .updateTable('thresholds')
    .set({
      judged_through: new Date(state.judgedThroughMs),
      met_at: state.metAtMs === undefined ? null : new Date(state.metAtMs),
    })
    .where('id', '=', threshold.id)
    .execute()
  for (const crossing of crossings) await tell(transaction, threshold, crossing)
}

/** Creates the event, and a delivery to each webhook of the project that its owner has not disabled. */
async function tell(transaction: Transaction<Tables>, threshold: Row, { endMs, clicks }: Crossing): Promise<void> {
  const event: ThresholdEvent = {
    type: `threshold.${threshold.type}`,
    timestamp: new Date(endMs).toISOString(),
    data: {
      threshold: threshold.id,
      project: threshold.project,
      target: threshold.target,
      ...(threshold.clicks !== null && { atLeast: threshold.clicks }),
      clicks,
      from: new Date(endMs - threshold.window_minutes * minuteMs).toISOString(),
      to: new Date(endMs).toISOString(),
    },
  }
  const { id } = await transaction
    .insertInto('webhook_events')
    .values({ project_id: threshold.project_id, type: event.type, body: JSON.stringify(event) })
    .returning('id')
    .executeTakeFirstOrThrow()
  await sql`
    insert into webhook_deliveries (webhook_id, event_id)
    select id, ${id} from webhooks
    where project_id = ${threshold.project_id} and disabled_because is distinct from 'owner'`.execute(transaction)
}

function floorToMinute(timeMs: number): number {
  return Math.floor(timeMs / minuteMs) * minuteMs
}
