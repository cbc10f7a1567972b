-- Records progress per process instead of per name (docs/decisions/0013).
--
-- Earlier processors must not run against this schema: it does not track what they hold. Without the old table they cannot
-- announce themselves, so after their next reconnect they consume no more messages.

drop table processor_progress;

-- A row outlives its process: it stands for the messages the process held, until another process has made sure that they are
-- counted or held by a process with its own row.
create table processor_progress (
  processor uuid primary key,
  -- Host and port; informational.
  name text not null,
  -- As far as this process is concerned, everything accepted before this time is counted. -infinity: not known yet.
  counted_through timestamptz not null,
  -- Incremented by each report that follows a round trip on all channels of the process.
  reports bigint not null default 0,
  -- Markers of its broker connections: exclusive queues, which the broker deletes with the connection.
  connections text[] not null,
  -- Informational; no decision depends on it.
  reported_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50, autovacuum_vacuum_threshold = 1000);
grant select, insert, update, delete on processor_progress to clicktally_processor;
grant select on processor_progress to clicktally_api, clicktally_operator;
