import { type Kysely, sql } from 'kysely'

/**
 * Progress is kept for each process, not for each name (docs/decisions/0013).
 *
 * A processor of the version before must not run beside it: nothing here knows what it holds. Without the old table it
 * cannot announce itself, so once it has to reconnect it takes no more messages.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  `drop table processor_progress`,

  // A row stays when its process dies: it stands for what the process held, until another process has made sure that this
  // is counted, or held by a process with a row of its own.
  `create table processor_progress (
    processor uuid primary key,
    -- Host and port, for people.
    name text not null,
    -- Everything accepted before this time is counted, as far as it depends on this process. -infinity: not known yet.
    counted_through timestamptz not null,
    -- Rises with each report that was made after a round trip on all of its channels.
    reports bigint not null default 0,
    -- The markers of its connections to the broker: exclusive queues, which go when the connection goes.
    connections text[] not null,
    -- For people; nothing is decided by it.
    reported_at timestamptz not null default clock_timestamp()
  ) with (fillfactor = 50, autovacuum_vacuum_threshold = 1000)`,
  `grant select, insert, update, delete on processor_progress to clicktally_processor`,
  `grant select on processor_progress to clicktally_api, clicktally_operator`,
]
