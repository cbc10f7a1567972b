import { type Kysely, sql } from 'kysely'

/** The first schema. There is no older code. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  `create table projects (
    id int primary key check (id > 0),
    name text not null unique
  )`,
  `insert into projects (id, name) values (1, 'default')`,

  // Partitioned by the id itself (a UUIDv7, so by its time): a retry meets its first copy whatever day it comes, and the
  // primary key is legal. The project is in the key so that no project can block another's ids.
  // No default partition: DETACH CONCURRENTLY would be refused.
  `create table clicks (
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
  ) partition by range (id)`,

  // Room on each page for new versions of a row: counters are updated in place (HOT), no index holds a count.
  `create table counters (
    project_id int not null,
    target text collate "C" not null,
    minute timestamptz not null,
    total bigint not null,
    bots bigint not null,
    visitors int[] not null,
    primary key (project_id, target, minute)
  ) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)`,
  // For questions over all targets.
  `create index counters_by_minute on counters (project_id, minute)`,

  `create table dead_clicks (
    id uuid not null,
    project_id int not null,
    reason text not null,
    detail text not null,
    died_at timestamptz not null default now(),
    primary key (id, project_id)
  )`,

  `create table processor_progress (
    processor text primary key,
    counted_through timestamptz not null,
    updated_at timestamptz not null
  )`,

  // Unique visitors: a sketch holds the 2,048 smallest of the visitors' 31-bit hashes (bottom-k). Two sketches merge into
  // the sketch of both sets, whatever the overlap, so any range of minutes can be asked for. Exact up to 2,048.
  // hashtextextended gives the same value in every version of PostgreSQL: hash partitions rest on it.
  `create function visitor_hash(project_id int, visitor_id text) returns int
    language sql immutable strict parallel safe
    return (hashtextextended(visitor_id, project_id) & 2147483647)::int`,
  `create function visitor_sketch_merge(a int[], b int[]) returns int[]
    language sql immutable strict parallel safe
    return array(select distinct hash from unnest(a || b) as hash order by hash limit 2048)`,

  // Partitions are made by the processors, which may not create tables: hence security definer.
  `create function create_click_partition(day date) returns void
    language plpgsql security definer set search_path = pg_catalog, public
    as $$
    declare
      partition text := 'clicks_' || to_char(day, 'YYYYMMDD');
      floor_of_day text := lpad(to_hex((extract(epoch from day at time zone 'UTC') * 1000)::bigint), 12, '0');
      floor_of_next text := lpad(to_hex((extract(epoch from (day + 1) at time zone 'UTC') * 1000)::bigint), 12, '0');
    begin
      if to_regclass('public.' || partition) is not null then return; end if;
      -- One at a time: processors start together.
      perform pg_advisory_xact_lock(hashtext('create_click_partition'));
      if to_regclass('public.' || partition) is not null then return; end if;
      -- Made beside the table and attached, since CREATE … PARTITION OF would lock out the writers.
      execute format('create table public.%I (like public.clicks including defaults including constraints)', partition);
      execute format('alter table public.%I add primary key (id, project_id)', partition);
      execute format('alter table public.clicks attach partition public.%I for values from (%L) to (%L)', partition,
        substr(floor_of_day, 1, 8) || '-' || substr(floor_of_day, 9) || '-0000-0000-000000000000',
        substr(floor_of_next, 1, 8) || '-' || substr(floor_of_next, 9) || '-0000-0000-000000000000');
    end $$`,
  `revoke execute on function create_click_partition(date) from public`,

  // Roles belong to the whole server, not to one database: they may be there.
  ...['clicktally_processor', 'clicktally_api'].map(
    (role) => `do $$ begin
      if not exists (select from pg_roles where rolname = '${role}') then create role ${role} nologin; end if;
    exception when duplicate_object or unique_violation then null;
    end $$`,
  ),
  `revoke create on schema public from public`,
  `grant usage on schema public to clicktally_processor, clicktally_api`,
  // Clicks are only ever added, counters only ever raised: nothing here lets a processor delete one.
  `grant select, insert on clicks, dead_clicks to clicktally_processor`,
  `grant select, insert, update on counters to clicktally_processor`,
  `grant select, insert, update, delete on processor_progress to clicktally_processor`,
  `grant execute on function create_click_partition(date) to clicktally_processor`,
  `grant select on clicks, counters, dead_clicks, processor_progress, projects to clicktally_api`,
]
