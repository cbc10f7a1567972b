-- Adds the ledger, with which the system proves that no click is lost, and moves dead letters from the broker to the database.
-- Earlier processors must not run against this schema: they write to dead_clicks, which is dropped.

-- One row per publisher connection (packages/message/ledger-stamp.ts). The sums cover the messages in `folded`, which have been
-- removed from the table messages; `settled` and `confirmed` are the newest report among them.
create table producers (
  producer uuid primary key,
  previous uuid,
  previous_confirmed bigint,
  previous_unknown bigint[] not null default '{}',
  first_seen_at timestamptz not null default clock_timestamp(),
  folded int8multirange not null default '{}',
  clicks bigint not null default 0,
  counted bigint not null default 0,
  duplicates bigint not null default 0,
  settled bigint not null default 0,
  confirmed bigint not null default 0
);
create index producers_by_previous on producers (previous);

-- A message in this table is completely accounted for: its redelivery changes nothing.
create table messages (
  producer uuid not null,
  sequence bigint not null,
  clicks int not null,
  counted int not null,
  duplicates int not null,
  dead int not null,
  settled bigint not null,
  confirmed bigint not null,
  written_at timestamptz not null default clock_timestamp(),
  primary key (producer, sequence)
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

-- Clicks counted before the ledger existed.
insert into producers (producer, clicks, counted)
select '00000000-0000-0000-0000-000000000000', sum(total + bots), sum(total + bots) from counters
having sum(total + bots) > 0;

create table dead_letters (
  id bigint generated always as identity primary key,
  producer uuid not null,
  sequence bigint not null,
  reason text not null,
  detail text not null,
  died_at timestamptz not null default clock_timestamp(),
  type text,
  content bytea not null,
  clicks int not null,
  click_ids uuid[] not null default '{}',
  request_id text,
  resolution text check (resolution in ('replayed', 'discarded', 'counted')),
  resolved_at timestamptz
);
create index dead_letters_by_click on dead_letters using gin (click_ids);
create index dead_letters_by_message on dead_letters (producer, sequence);
create index dead_letters_open on dead_letters (id) where resolution is null;
-- Its content is in the broker's queue clicks.dead, from which processors store it in dead_letters.
drop table dead_clicks;

-- `clicktally verify` reads clicks by time; within each day's partition they are stored in roughly that order.
create index clicks_by_time on clicks using brin (occurred_at) with (pages_per_range = 32);

do $$ begin
  if not exists (select from pg_roles where rolname = 'clicktally_operator') then create role clicktally_operator nologin; end if;
exception when duplicate_object or unique_violation then null;
end $$;
grant usage on schema public to clicktally_operator;
grant select, insert, update on messages to clicktally_processor;
grant select, insert on producers, dead_letters to clicktally_processor;
grant update (resolution, resolved_at) on dead_letters to clicktally_processor;
grant select on producers, messages to clicktally_api;
-- Not the content: it is unmodified client input.
grant select (id, producer, sequence, reason, died_at, clicks, click_ids, resolution, resolved_at) on dead_letters to clicktally_api;
grant select on clicks, counters, projects, processor_progress, producers, messages, dead_letters to clicktally_operator;
-- For replaying and discarding dead letters and repairing counters. Operators cannot change clicks.
grant update (resolution, resolved_at, content) on dead_letters to clicktally_operator;
grant insert, update, delete on counters to clicktally_operator;
