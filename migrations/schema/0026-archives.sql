-- Raw clicks get an age for each project, after which the janitor archives and removes them (decision 0037).
--
-- Earlier versions may run against this schema: until a project gets an age, nothing is archived. Afterwards an earlier processor makes
-- dead letters of clicks from before a project's horizon too, with the reason `refused_by_database`; an earlier command line compares
-- counters with raw clicks that are gone, so it must not verify or rebuild.

alter table projects
  -- Raw clicks are kept for at least this many days. Null: for ever. Eight days are more than the days around now for which
  -- partitions are created in advance.
  add column keep_raw_days int check (keep_raw_days between 8 and 36500);

-- Since when the raw clicks of a project are kept, like raw_clicks for all projects (decision 0021). No row: since ever.
create table project_horizons (
  project_id int primary key,
  -- By the time in the id. Earlier clicks of the project are refused.
  kept_since timestamptz not null,
  -- By occurrence: the counters of later minutes can be recomputed, and later hours packed.
  complete_since timestamptz not null default '-infinity'
);

-- The raw clicks of a project in a partition of clicks that are older than the project keeps them.
create table archives (
  project_id int not null,
  -- Such as clicks_20261128, or clicks_202611 of a whole month.
  partition text not null,
  -- Incremented when a click of it changes, because a visitor was forgotten: what was read before must not be taken for verified.
  version int not null default 1,
  -- Null until it is written. Null and verified: the project had no click in this partition.
  file text,
  clicks bigint,
  last_occurred_at timestamptz,
  -- The file was read back, and equals the raw clicks.
  verified_at timestamptz,
  -- From then on the raw clicks are removed.
  given_up_at timestamptz,
  -- They are all removed.
  cleared_at timestamptz,
  -- `clicktally archive import` has put them back until then.
  restored_until timestamptz,
  primary key (project_id, partition)
);

-- Visitors to be removed from archives by the next run of the janitor, which then deletes the row.
create table archive_erasures (
  id bigint generated always as identity primary key,
  visitor_id text not null,
  -- Null: in all projects.
  project_id int,
  requested_at timestamptz not null default clock_timestamp()
);

-- The latest run of the janitor: one row.
create table janitor_runs (
  only_row boolean primary key default true check (only_row),
  started_at timestamptz,
  ended_at timestamptz,
  succeeded_at timestamptz,
  -- Why the latest run failed.
  failure text
);
insert into janitor_runs default values;

do $$ begin
  if not exists (select from pg_roles where rolname = 'clicktally_janitor') then create role clicktally_janitor nologin; end if;
exception when duplicate_object or unique_violation then null;
end $$;
grant usage on schema public to clicktally_janitor;
-- It reads clicks with their visitors, because an archive has them. It changes none, and removes them only through functions.
grant select on clicks, raw_clicks, project_horizons to clicktally_janitor;
grant select (id, name, keep_raw_days) on projects to clicktally_janitor;
grant select on archives to clicktally_janitor;
grant insert (project_id, partition), update (file, clicks, last_occurred_at, verified_at) on archives to clicktally_janitor;
grant select, delete on archive_erasures to clicktally_janitor;
grant select, update (started_at, ended_at, succeeded_at, failure) on janitor_runs to clicktally_janitor;

grant update (keep_raw_days) on projects to clicktally_auth;
grant select on project_horizons to clicktally_processor, clicktally_api, clicktally_operator;
grant select on archives, janitor_runs, archive_erasures to clicktally_operator;
