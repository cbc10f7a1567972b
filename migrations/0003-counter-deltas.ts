import { type Kysely, sql } from 'kysely'

/**
 * Counters as deltas, which are only added, folded into minutes, and rolled up into hours, days and months (decision 0010).
 * A processor of before must not run beside it: it raises the table counters, which is a view now.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const widths = ['minute', 'hour', 'day', 'month'] as const
type Width = (typeof widths)[number]

/** The rows of a bucket's width: all buckets are in UTC. Target '' stands for all targets of the project together. */
const countersTable = (width: Width) => {
  const sum = width === 'minute' || width === 'hour' ? 'int' : 'bigint'
  return [
    // Columns in an order that leaves no gaps between them.
    `create table ${width}_counters (
      ${width} timestamptz not null,
      project_id int not null,
      total ${sum} not null,
      bots ${sum} not null,
      target text collate "C" not null,
      visitors int[] not null,
      -- The largest hash of a full sketch: whoever unites sketches needs none that is above. Beside them, since they are long.
      visitors_below int generated always as (case when cardinality(visitors) = 2048 then visitors[2048] end) stored,
      primary key (project_id, ${width}, target)
    ) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)`,
    // Hashes are evenly spread bits: trying to compress them costs time and spares nothing.
    `alter table ${width}_counters alter column visitors set storage external`,
  ]
}

/**
 * Sums up rows of counters: a row for each project, start and target. The sketch of a row that is alone in its group, as most
 * are, is taken as it is.
 *
 * @param start an SQL expression over `rows`, and so is `target`
 */
const summedUp = (width: Width, rows: string, start: string, condition = 'true', target = 'target') => `
          select
            project_id, ${width}, target, total, bots,
            case when parts = 1 then visitors
              else array(select distinct hash from unnest(visitors) as hash order by hash limit 2048) end as visitors
          from (
            select
              project_id, ${start} as ${width}, ${target} as target, sum(total) as total, sum(bots) as bots,
              count(*) as parts, visitor_hashes(visitors) as visitors
            from ${rows} where ${condition} group by 1, 2, 3
          ) as summed`

/** Adds what is summed up in `rows` to the counters of this width. */
const raise = (width: Width, rows: string) => `
  insert into ${width}_counters as counter (project_id, ${width}, target, total, bots, visitors)
  select project_id, ${width}, target, total, bots, visitors from ${rows} order by project_id, ${width}, target
  on conflict (project_id, ${width}, target) do update set
    total = counter.total + excluded.total,
    bots = counter.bots + excluded.bots,
    visitors = visitor_sketch_add(counter.visitors, counter.visitors_below, excluded.visitors)`

/** Makes the counters of the next bucket that is over, and moves the horizon behind it. */
const rollUp = (from: Width, to: Width, horizon: string, limit: string) => `
        while horizon.${horizon} < ${limit} and clock_timestamp() < stop_at loop
          -- Where there is nothing for a long time, not step by step. Each project has its own place in the index.
          with recursive project (id) as (
            select min(project_id) from ${from}_counters
            union all
            select (select min(project_id) from ${from}_counters where project_id > project.id) from project where id is not null
          )
          select date_trunc('${to}', min(next.${from})) into bucket
          from project
          cross join lateral (
            select ${from} from ${from}_counters
            where project_id = project.id and ${from} >= horizon.${horizon} and ${from} < ${limit}
            order by ${from} limit 1
          ) as next;
          if bucket is null then
            horizon.${horizon} := ${limit};
          else
            insert into ${to}_counters as counter (project_id, ${to}, target, total, bots, visitors)
            ${summedUp(to, `${from}_counters`, 'bucket', `${from} >= bucket and ${from} < bucket + interval '1 ${to}'`)}
            on conflict (project_id, ${to}, target) do update
              set total = excluded.total, bots = excluded.bots, visitors = excluded.visitors;
            horizon.${horizon} := bucket + interval '1 ${to}';
          end if;
        end loop;`

const statements = [
  // All hashes of several sketches, some of them twice; but never many more than 16,384, so that the cost of copying them for each
  // sketch is bounded. Where there is one sketch alone, it is the result as it is.
  `create function visitor_hashes_add(hashes int[], added int[]) returns int[]
    language plpgsql immutable strict parallel safe
    as $$ begin
      if cardinality(hashes) < 16384 then return hashes || added; end if;
      return visitor_sketch_merge(hashes, added);
    end $$`,
  `create aggregate visitor_hashes (int[]) (sfunc = visitor_hashes_add, stype = int[], parallel = safe)`,

  // What processors add, to the counters of targets and of all targets together (''): no key, no index, nothing to wait for.
  // Several rows for one counter are normal. Folds empty it all the time, so its free room has to be found soon.
  `create table counter_deltas (
    project_id int not null,
    target text collate "C" not null,
    minute timestamptz not null,
    total int not null,
    bots int not null,
    visitors int[] not null
  ) with (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1,
    autovacuum_vacuum_cost_delay = 0
  )`,
  ...widths.flatMap(countersTable),

  // Every hour before hours_before is in hour_counters, if it has clicks; days and months alike. It only ever moves on, and
  // what is before it is kept exact by the folds: so one that was read a while ago may still be gone by.
  `create table rollup_horizon (
    only_row boolean primary key default true check (only_row),
    hours_before timestamptz not null,
    days_before timestamptz not null,
    months_before timestamptz not null,
    check (months_before <= days_before and days_before <= hours_before)
  )`,
  `insert into rollup_horizon (hours_before, days_before, months_before)
   select date_trunc('hour', oldest, 'UTC'), date_trunc('day', oldest, 'UTC'), date_trunc('month', oldest, 'UTC')
   from (select coalesce(min(minute), clock_timestamp()) as oldest from counters) as counter`,

  `insert into minute_counters (project_id, minute, target, total, bots, visitors)
   select project_id, minute, target, total, bots, visitors from counters order by project_id, minute, target`,
  `insert into minute_counters (project_id, minute, target, total, bots, visitors)
   ${summedUp('minute', 'counters', 'minute', 'true', `''`)}`,
  `drop table counters`,
  // All that is counted, folded or not. Several rows for one counter can be in it.
  `create view counters as
   select project_id, target, minute, total, bots, visitors from minute_counters where target <> ''
   union all
   select project_id, target, minute, total, bots, visitors from counter_deltas where target <> ''`,

  // The sketch of both. Where nothing changes it is the one that was kept, as it lies on disk: most that come are in it
  // already, or are beyond it. In this form the planner puts it in the place of the call.
  `create function visitor_sketch_add(kept int[], kept_below int, added int[]) returns int[]
    language sql immutable parallel safe
    return case
      when added[1] > kept_below or cardinality(added) = 0 then kept
      -- Comparing each with each is quicker than merging where one side is short; most that come are new by then.
      when cardinality(added) <= 32 and added <@ kept then kept
      when cardinality(added) <= 32 and not added && kept then (array_sort(kept || added))[1:2048]
      else visitor_sketch_merge(kept, added)
    end`,

  // For few sketches. Where there is one alone, it is the result as it is.
  `create aggregate visitor_sketch_union (int[]) (sfunc = visitor_sketch_merge, stype = int[], parallel = safe)`,

  // Moves the deltas that are committed into the counters, at most 50,000 a call, and rolls up buckets that are over for
  // about a second, or for as long as one takes. Returns how many deltas it took. One at a time, and with the lock goes the
  // right to change counters: so whoever holds it finds them at rest.
  //
  // Deltas of buckets that are rolled up already, since clicks may be late, are added there too, in the same transaction.
  // Whoever reads finds each click once, in one statement: in the deltas, or in all the buckets that it belongs to.
  `create function fold_counters_at(moment timestamptz) returns bigint
      language plpgsql security definer
      set search_path = pg_catalog, public set timezone = 'UTC' set work_mem = '64MB' set jit = off
      -- Sorted groups leave the order that counters are to be added in; and deltas have to be read from the first on.
      set enable_hashagg = off set synchronize_seqscans = off
      as $$
      declare
        horizon rollup_horizon;
        bucket timestamptz;
        -- Clicks of now are counted some seconds later.
        over timestamptz := date_trunc('hour', moment - interval '5 minutes');
        stop_at timestamptz := clock_timestamp() + interval '1 second';
        taken bigint;
      begin
        if not pg_try_advisory_xact_lock(hashtext('fold_counters')) then return 0; end if;
        select * into strict horizon from rollup_horizon;
        -- No part is joined with another: the planner does not know how long they are, and might compare each with each.
        with due as materialized (
          -- All up to the first that is too many, as they lie.
          delete from counter_deltas
          where ctid < coalesce((select ctid from counter_deltas offset 50000 limit 1), '(4294967295,0)')
          returning project_id, minute, target, total, bots, visitors
        ), summed_minutes as materialized (${summedUp('minute', 'due', 'minute')}
        ), begun as materialized (
          select project_id, minute from (select distinct project_id, minute from summed_minutes) as given
          where (
            select true from minute_counters as counter
            where counter.project_id = given.project_id and counter.minute = given.minute limit 1)
        ), minutes as materialized (
          -- Not in a condition, so that it is looked up in a table in memory.
          select *, (project_id, minute) in (select project_id, minute from begun) as is_begun from summed_minutes
        ), late_hours as materialized (${summedUp('hour', 'minutes', "date_trunc('hour', minute)", 'minute < horizon.hours_before')}
        ), late_days as materialized (${summedUp('day', 'late_hours', "date_trunc('day', hour)", 'hour < horizon.days_before')}
        ), late_months as materialized (${summedUp('month', 'late_days', "date_trunc('month', day)", 'day < horizon.months_before')}
        ),
        -- Where a minute has no counter yet, nothing can be in the way, and that costs half. They come in the order of the index.
        minutes_added as (
          insert into minute_counters (project_id, minute, target, total, bots, visitors)
          select project_id, minute, target, total, bots, visitors from minutes where not is_begun
        ),
        minutes_raised as (${raise('minute', 'minutes where is_begun')}),
        hours_raised as (${raise('hour', 'late_hours')}),
        days_raised as (${raise('day', 'late_days')}),
        months_raised as (${raise('month', 'late_months')})
        select count(*) into taken from due;
        ${rollUp('minute', 'hour', 'hours_before', 'over')}
        ${rollUp('hour', 'day', 'days_before', "date_trunc('day', horizon.hours_before)")}
        ${rollUp('day', 'month', 'months_before', "date_trunc('month', horizon.days_before)")}
        update rollup_horizon set
          hours_before = horizon.hours_before, days_before = horizon.days_before, months_before = horizon.months_before
        where (hours_before, days_before, months_before)
          is distinct from (horizon.hours_before, horizon.days_before, horizon.months_before);
        return taken;
      end $$`,
  `revoke execute on function fold_counters_at(timestamptz) from public`,
  `create function fold_counters() returns bigint
    language sql security definer set search_path = pg_catalog, public
    return fold_counters_at(clock_timestamp())`,
  `revoke execute on function fold_counters() from public`,

  // Deltas are only ever added, and counters raised by the fold alone. Its owner's right lets it take deltas away.
  `grant insert on counter_deltas to clicktally_processor`,
  // After a fold the room of what it took is to be free at once.
  `grant maintain on counter_deltas to clicktally_processor`,
  `grant execute on function fold_counters() to clicktally_processor`,
  `grant select on counters, counter_deltas, minute_counters, hour_counters, day_counters, month_counters, rollup_horizon
     to clicktally_api, clicktally_operator`,
  `grant insert, update, delete on minute_counters, hour_counters, day_counters, month_counters to clicktally_operator`,
]
