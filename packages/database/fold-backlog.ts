import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

/** Deltas that are not folded into the counters. Questions read them as well, so counts are exact; they only take longer. */
export interface FoldBacklog {
  /** For how many seconds the oldest delta may have waited to be folded; 0 where none waits. By the database's clock. */
  readonly waitingSeconds: number
  /** Deltas that PostgreSQL has refused to add to a counter. Each is tried again every hour. */
  readonly setAside: number
}

/** Deltas are folded every few seconds. From here on something is wrong: no processor runs, or each fold fails. */
export const longestWaitSeconds = 60

/** @throws what the database said. */
export async function readFoldBacklog(db: Kysely<Tables>): Promise<FoldBacklog> {
  const { rows } = await sql<FoldBacklog>`
    select
      case when exists (select from counter_deltas where set_aside_until is null)
        then greatest(0, extract(epoch from clock_timestamp() - folded_through)) else 0 end as "waitingSeconds",
      (select count(*) from counter_deltas where set_aside_until is not null) as "setAside"
    from rollup_horizon`.execute(db)
  const [backlog] = rows
  if (backlog === undefined) throw new Error('rollup_horizon has no row')
  return backlog
}
