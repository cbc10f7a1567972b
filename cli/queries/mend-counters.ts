import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import type { CounterKey } from './counter-differences.ts'
import { countersFromClicks } from './counters-from-clicks.ts'

const minuteMs = 60_000

/**
 * Makes these counters what the raw clicks say, while processors go on counting; returns how many were changed.
 *
 * It is exact, for this reason. A processor's transaction inserts clicks and adds them to their counters. The first
 * statement here locks the counters, and makes those that are missing, so that they can be locked too. The second one
 * begins after that, and so does its snapshot (read committed): a processor whose addition came before our lock has
 * committed by then, so its clicks are in the snapshot; any other has not added yet, it waits for our lock, and then adds
 * to our result what the snapshot did not have.
 *
 * Counters are locked in one pass and in the order in which the processors write them, so that neither waits for the other
 * in a circle.
 *
 * @param keys of few minutes that are close together: all clicks between the first and the last are read
 * @param withinMs when the server gives up; the processors wait meanwhile
 */
export async function mendCounters(db: Kysely<Tables>, keys: readonly CounterKey[], withinMs: number): Promise<number> {
  const times = keys.map(({ minute }) => minute.getTime())
  const from = new Date(Math.min(...times))
  const to = new Date(Math.max(...times) + minuteMs)
  const key = sql`
    unnest(
      ${keys.map(({ projectId }) => projectId)}::int[],
      ${keys.map(({ target }) => target)}::text[],
      ${times.map((time) => new Date(time).toISOString())}::timestamptz[])
    as key (project_id, target, minute)`
  const ofTheseKeys = sql`(project_id, target, date_trunc('minute', occurred_at)) in (select * from key)`
  return await db
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async (transaction) => {
      await sql`set local statement_timeout = ${sql.lit(withinMs)}`.execute(transaction)
      await sql`
        insert into counters as counter (project_id, target, minute, total, bots, visitors)
        select project_id, target, minute, 0, 0, '{}' from ${key}
        order by project_id, target collate "C", minute
        -- Changes nothing: it locks the row.
        on conflict (project_id, target, minute) do update set total = counter.total where false`.execute(transaction)
      const { rows } = await sql<{ mended: number }>`
        with key as materialized (
          select * from ${key}
        ), truth as materialized (
          ${countersFromClicks(from, to, ofTheseKeys)}
        ), corrected as (
          update counters set total = truth.total, bots = truth.bots, visitors = truth.visitors
          from truth
          where (counters.project_id, counters.target, counters.minute) = (truth.project_id, truth.target, truth.minute)
            and (counters.total, counters.bots, counters.visitors) is distinct from (truth.total, truth.bots, truth.visitors)
          returning 1
        ), removed as (
          delete from counters using key
          where (counters.project_id, counters.target, counters.minute) = (key.project_id, key.target, key.minute)
            and not exists (
              select from truth
              where (truth.project_id, truth.target, truth.minute) = (key.project_id, key.target, key.minute))
          returning 1
        )
        select (select count(*) from corrected) + (select count(*) from removed) as mended`.execute(transaction)
      return rows[0]?.mended ?? 0
    })
}
