import type { Tables } from '@clicktally/database/tables.ts'
import { sql, type Transaction } from 'kysely'
import type { CounterKey } from './counter-differences.ts'

/**
 * Moves the packed minutes of the hours of these counters, and of all targets together, back into `minute_counters`. They are packed
 * again later. The transaction must hold the fold's lock.
 */
export async function unpackMinutes(transaction: Transaction<Tables>, keys: readonly CounterKey[]): Promise<void> {
  await sql`
    with given as materialized (
      select project_id, date_trunc('hour', minute, 'UTC') as hour, target
      from unnest(
        ${keys.map(({ projectId }) => projectId)}::int[],
        ${keys.map(({ start }) => start.toISOString())}::timestamptz[],
        ${keys.map(({ target }) => target)}::text[]) as key (project_id, minute, target)
    ), packed as materialized (
      select project_id, hour, target from given union select project_id, hour, '' from given
    ), moved as (
      insert into minute_counters as counter (project_id, minute, target, total, bots, visitors)
      select project_id, minute, target, total, bots, visitors
      from packed join packed_minutes using (project_id, hour, target)
      order by project_id, minute, target
      on conflict (project_id, minute, target) do update set
        total = counter.total + excluded.total,
        bots = counter.bots + excluded.bots,
        visitors = visitor_sketch_merge(counter.visitors, excluded.visitors)
    )
    update hour_counters as counter set minutes = null from packed
    where (counter.project_id, counter.hour, counter.target) = (packed.project_id, packed.hour, packed.target)
      and minutes is not null`.execute(transaction)
}
