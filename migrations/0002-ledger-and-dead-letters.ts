import { type Kysely, sql } from 'kysely'

/**
 * The ledger, by which the system proves that nothing is lost, and the dead letters, which were in the broker until now.
 * A processor of before must not run beside it: it writes to dead_clicks, which is gone.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  // One row a connection of a publisher (packages/contract/ledger-stamp.ts). Its sums are of the messages in `folded`, which
  // have left the table messages; `settled` and `confirmed` are the newest report among those that were old enough then.
  `create table producers (
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
  )`,
  `create index producers_by_previous on producers (previous)`,

  // A message that is here is accounted for, whole: redelivered, it changes nothing.
  `create table messages (
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
  ) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000)`,

  // Clicks that were counted before there was a ledger.
  `insert into producers (producer, clicks, counted)
   select '00000000-0000-0000-0000-000000000000', sum(total + bots), sum(total + bots) from counters
   having sum(total + bots) > 0`,

  `create table dead_letters (
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
  )`,
  `create index dead_letters_by_click on dead_letters using gin (click_ids)`,
  `create index dead_letters_by_message on dead_letters (producer, sequence)`,
  `create index dead_letters_open on dead_letters (id) where resolution is null`,
  // Its content is in the broker's queue clicks.dead, from where the processors bring it here.
  `drop table dead_clicks`,

  // Takes messages that were written some time ago out of the table, into their producer's sums. A message that comes again
  // afterwards is known by folded: its row is no part of the balance, and goes at the next call. Only messages up to a report
  // are taken: those above may be of unknown outcome. Those with dead letters stay, since they may yet come to life.
  `create function fold_ledger(older_than interval) returns void
    language plpgsql security definer set search_path = pg_catalog, public
    as $$
    begin
      if not pg_try_advisory_xact_lock(hashtext('fold_ledger')) then return; end if;
      insert into producers (producer) select distinct producer from messages on conflict do nothing;
      with report as (
        select producer, max(settled) as settled, max(confirmed) as confirmed
        from messages where written_at < clock_timestamp() - older_than group by producer
      ), due as (
        delete from messages using report, producers
        where messages.producer = report.producer and messages.producer = producers.producer
          and written_at < clock_timestamp() - older_than and sequence <= report.settled and dead = 0
        returning messages.*, folded @> sequence as again
      ), summed as (
        select producer, range_agg(int8range(sequence, sequence, '[]')) as sequences, sum(clicks) as clicks,
          sum(counted) as counted, sum(duplicates) as duplicates
        from due where not again group by producer
      )
      update producers set
        folded = producers.folded + coalesce(summed.sequences, '{}'),
        clicks = producers.clicks + coalesce(summed.clicks, 0),
        counted = producers.counted + coalesce(summed.counted, 0),
        duplicates = producers.duplicates + coalesce(summed.duplicates, 0),
        settled = greatest(producers.settled, report.settled),
        confirmed = greatest(producers.confirmed, report.confirmed)
      from report left join summed using (producer)
      where producers.producer = report.producer;
    end $$`,
  `revoke execute on function fold_ledger(interval) from public`,

  // Verifying asks for the clicks of a range of time; the pages of each day's partition are in about that order.
  `create index clicks_by_time on clicks using brin (occurred_at) with (pages_per_range = 32)`,

  // Partitions are by day, and for months of long ago, which backfill may fill, by month: clicks are few a day there, and
  // with thousands of partitions a statement over all of them runs out of locks (tried: at 6,000).
  `create or replace function create_click_partition(day date) returns void
      language plpgsql security definer set search_path = pg_catalog, public
      as $$
      declare
        first_of_month date := date_trunc('month', day);
        first_of_next date := date_trunc('month', day) + interval '1 month';
        of_month text := 'clicks_' || to_char(day, 'YYYYMM');
        of_day text := 'clicks_' || to_char(day, 'YYYYMMDD');
        partition text;
        from_day date;
        to_day date;
        bounds text[];
      begin
        if to_regclass('public.' || of_day) is not null or to_regclass('public.' || of_month) is not null then return; end if;
        -- One at a time: processors start together.
        perform pg_advisory_xact_lock(hashtext('create_click_partition'));
        if to_regclass('public.' || of_day) is not null or to_regclass('public.' || of_month) is not null then return; end if;
        -- A month that is over, and in which no day has a partition of its own. The week is more than the days back for which
        -- partitions are made ahead of clicks.
        if first_of_next <= current_date - 7
          and not exists (select from pg_class where relnamespace = 'public'::regnamespace and relname like of_month || '__')
        then
          partition := of_month; from_day := first_of_month; to_day := first_of_next;
        else
          partition := of_day; from_day := day; to_day := day + 1;
        end if;
        select array_agg(substr(hex, 1, 8) || '-' || substr(hex, 9) || '-0000-0000-000000000000' order by hex) into bounds
        from (select lpad(to_hex((extract(epoch from border at time zone 'UTC') * 1000)::bigint), 12, '0')
              from unnest(array[from_day, to_day]) as border) as borders (hex);
        -- Made beside the table and attached, since CREATE … PARTITION OF would lock out the writers.
        execute format('create table public.%I (like public.clicks including defaults including constraints)', partition);
        execute format('alter table public.%I add primary key (id, project_id)', partition);
        execute format('alter table public.clicks attach partition public.%I for values from (%L) to (%L)', partition, bounds[1], bounds[2]);
      end $$`,

  `do $$ begin
    if not exists (select from pg_roles where rolname = 'clicktally_operator') then create role clicktally_operator nologin; end if;
  exception when duplicate_object or unique_violation then null;
  end $$`,
  `grant usage on schema public to clicktally_operator`,
  `grant select, insert, update on messages to clicktally_processor`,
  `grant select, insert on producers, dead_letters to clicktally_processor`,
  `grant update (resolution, resolved_at) on dead_letters to clicktally_processor`,
  `grant execute on function fold_ledger(interval) to clicktally_processor`,
  `grant select on producers, messages to clicktally_api`,
  // Not their content: it is as a client sent it.
  `grant select (id, producer, sequence, reason, died_at, clicks, click_ids, resolution, resolved_at) on dead_letters to clicktally_api`,
  `grant select on clicks, counters, projects, processor_progress, producers, messages, dead_letters to clicktally_operator`,
  // To replay and to discard; to mend counters. Clicks are not an operator's to change.
  `grant update (resolution, resolved_at, content) on dead_letters to clicktally_operator`,
  `grant insert, update, delete on counters to clicktally_operator`,
]
