import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'

/** Which clicks to count: of a project and a target ('' for all targets together), from a minute to a minute, exclusive. */
export interface Window {
  readonly projectId: number
  readonly target: string
  readonly fromMs: number
  readonly toMs: number
}

/**
 * Clicks by people in each minute of some windows. One statement, so that no click is missed or seen twice while a fold moves it
 * from the deltas to the counters, or packing moves it to its hour.
 *
 * @returns for each window a map from the beginning of a minute, in milliseconds since 1970, to its clicks, without minutes that
 *   have none
 */
export async function clicksInWindows(db: Kysely<Tables>, windows: readonly Window[]): Promise<Map<number, number>[]> {
  const { rows } = await sql<{ place: number; minute: number; clicks: number }>`
    with "window" as materialized (
      select *
      from unnest(
        ${windows.map(({ projectId }) => projectId)}::int[],
        ${windows.map(({ target }) => target)}::text[],
        ${windows.map(({ fromMs }) => new Date(fromMs).toISOString())}::timestamptz[],
        ${windows.map(({ toMs }) => new Date(toMs).toISOString())}::timestamptz[])
        with ordinality as "window" (project_id, target, "from", "to", place)
    ), "row" as (
      select place, each.minute, counter.total
      from "window",
        generate_series("from", "to" - interval '1 minute', interval '1 minute') as each (minute),
        -- The primary key begins with project and minute. A look-up for each minute costs the same however many targets there are; the
        -- limit keeps the planner from reading the range instead.
        lateral (
          select total from minute_counters
          where (project_id, minute, target) = ("window".project_id, each.minute, "window".target)
          limit 1
        ) as counter
      union all
      -- Hours that are over may have their minutes packed.
      select place, packed.minute, packed.total
      from "window",
        generate_series(date_trunc('hour', "from", 'UTC'), "to" - interval '1 minute', interval '1 hour') as each (hour),
        lateral (
          select minute, total from packed_minutes
          where (project_id, hour, target) = ("window".project_id, each.hour, "window".target)
            and minute >= "from" and minute < "to"
        ) as packed
      union all
      select place, minute, total
      from counter_deltas join "window" using (project_id, target)
      where minute >= "from" and minute < "to"
    )
    -- Whole minutes as numbers: reading many times would take longer than the query.
    select place::int, (extract(epoch from minute) / 60)::int as minute, total as clicks from "row"`.execute(db)
  const found = windows.map(() => new Map<number, number>())
  for (const { place, minute, clicks } of rows) {
    const ofWindow = found[place - 1]
    ofWindow?.set(minute * 60_000, (ofWindow.get(minute * 60_000) ?? 0) + clicks)
  }
  return found
}
