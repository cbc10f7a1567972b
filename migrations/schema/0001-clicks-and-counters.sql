-- The first schema.

create table projects (
  id int primary key check (id > 0),
  name text not null unique
);
insert into projects (id, name) values (1, 'default');

-- Partitioned by the id (a UUIDv7, so by its time): a retry lands in the partition of its first copy, on whatever day it arrives,
-- and the primary key contains the partition key. The key includes the project so that one project cannot block another's ids.
-- No default partition: it would rule out DETACH CONCURRENTLY.
create table clicks (
  id uuid not null,
  project_id int not null,
  occurred_at timestamptz not null,
  received_at timestamptz not null,
  counted_at timestamptz not null default now(),
  bot boolean not null,
  target text collate "C" not null,
  visitor_id text,
  url text,
  referrer text,
  props jsonb,
  primary key (id, project_id)
) partition by range (id);

-- fillfactor leaves room on each page for HOT updates: no index contains a count.
create table counters (
  project_id int not null,
  target text collate "C" not null,
  minute timestamptz not null,
  total bigint not null,
  bots bigint not null,
  visitors int[] not null,
  primary key (project_id, target, minute)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
-- For queries over all targets.
create index counters_by_minute on counters (project_id, minute);

create table dead_clicks (
  id uuid not null,
  project_id int not null,
  reason text not null,
  detail text not null,
  died_at timestamptz not null default now(),
  primary key (id, project_id)
);

create table processor_progress (
  processor text primary key,
  counted_through timestamptz not null,
  updated_at timestamptz not null
);

-- Roles belong to the server, not to one database: they may exist already.
do $$ begin
  if not exists (select from pg_roles where rolname = 'clicktally_processor') then create role clicktally_processor nologin; end if;
exception when duplicate_object or unique_violation then null;
end $$;
do $$ begin
  if not exists (select from pg_roles where rolname = 'clicktally_api') then create role clicktally_api nologin; end if;
exception when duplicate_object or unique_violation then null;
end $$;
revoke create on schema public from public;
grant usage on schema public to clicktally_processor, clicktally_api;
-- A processor may add clicks and increase counters, but delete neither.
grant select, insert on clicks, dead_clicks to clicktally_processor;
grant select, insert, update on counters to clicktally_processor;
grant select, insert, update, delete on processor_progress to clicktally_processor;
grant select on clicks, counters, dead_clicks, processor_progress, projects to clicktally_api;
