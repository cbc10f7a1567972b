import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

/** Deltas that are not folded into the counters yet. Queries read them as well, so counts are exact, but queries take longer. */
export interface FoldBacklog {
  /** Deltas that wait for a fold, counted up to a million. */
  readonly unfolded: number
  /** For how many seconds the oldest delta may have waited for a fold; 0 if there is none. By the database's clock. */
  readonly waitingSeconds: number
  /** Deltas that PostgreSQL refused to add to a counter. Each is retried every hour. */
  readonly setAside: number
}

/** Deltas are folded every few seconds. Beyond this something is wrong: no processor runs, or every fold fails. */
export const longestWaitSeconds = 60

/** @throws the database error */
export async function readFoldBacklog(db: Kysely<Tables>): Promise<FoldBacklog> {
  const { rows } = await sql<FoldBacklog>`
    select
      (select count(*) from (select from counter_deltas where set_aside_until is null limit 1000000) as delta) as unfolded,
      case when exists (select from counter_deltas where set_aside_until is null)
        then greatest(0, extract(epoch from clock_timestamp() - folded_through)) else 0 end as "waitingSeconds",
      (select count(*) from counter_deltas where set_aside_until is not null) as "setAside"
    from rollup_horizon`.execute(db)
  const [backlog] = rows
  if (backlog === undefined) throw new Error('rollup_horizon has no row')
  return backlog
}
