-- Rolls up one part of the first complete bucket, starting after the position (bucket, project, target), and returns the new
-- position. Skips buckets without clicks. rows_read is 0 if nothing before up_to is left.
--
-- narrow and wide are widths such as 'hour' and 'day', from which the names of tables and columns follow. Dynamic SQL, because
-- one static statement cannot serve three pairs of tables.
create or replace function roll_up_part(
  narrow text, wide text, up_to timestamptz, max_rows int,
  inout bucket timestamptz, inout project int, inout target text, out rows_read bigint
)
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  narrow_table text := narrow || '_counters';
  wide_table text := wide || '_counters';
  narrow_step interval := '1 ' || narrow;
  wide_step interval := '1 ' || wide;
  starts timestamptz[];
  -- Targets of the project up to this one are done; null if none is.
  done_target text := target;
begin
  rows_read := 0;
  while bucket < up_to loop
    starts := array(select generate_series(bucket, bucket + wide_step - narrow_step, narrow_step));

    -- The last target of this part. Each narrower bucket is read up to its share of the rows; if one has more, the part
    -- ends at its last target. 160 bytes of a sketch take about as long as a row. A part has at least one target.
    execute format($sql$
      with candidate as materialized (
        select start, counter.target, counter.weight
        from unnest($1) as start
        cross join lateral (
          select target, 1 + pg_column_size(visitors) / 160 as weight
          from %1$I
          where project_id = $2 and %2$I = start and ($3 is null or target > $3)
          order by target limit $4
        ) as counter
      ), reach as (
        select min(last_target) as target
        from (select max(target) as last_target from candidate group by start having count(*) = $4) as run
      ), reached as (
        select target, sum(row_count) over in_order as row_count, sum(weight) over in_order as weight
        from (select target, count(*) as row_count, sum(weight) as weight from candidate group by target) as each
        where target <= coalesce((select reach.target from reach), target)
        window in_order as (order by target)
      )
      select coalesce(max(target) filter (where weight <= $5), min(target)),
        coalesce(max(row_count) filter (where weight <= $5), min(row_count), 0)
      from reached $sql$, narrow_table, narrow)
    into target, rows_read
    using starts, project, done_target, greatest(1, max_rows / cardinality(starts)), max_rows;

    if rows_read > 0 then
      -- Nothing else writes these rows before this point. Rows inserted by hand are overwritten.
      execute format($sql$
        insert into %3$I as counter (project_id, %4$I, target, total, bots, visitors)
        select $2, $5, target, total, bots,
          case when parts = 1 then visitors
            else array(select distinct hash from unnest(visitors) as hash order by hash limit 2048) end
        from (
          select target, sum(total) as total, sum(bots) as bots,
            count(*) as parts, visitor_hashes(visitors) as visitors
          from %1$I
          where project_id = $2 and %2$I = any($1) and ($3 is null or target > $3) and target <= $4
          group by target
        ) as summed
        order by target
        on conflict (project_id, %4$I, target) do update
          set total = excluded.total, bots = excluded.bots, visitors = excluded.visitors
        $sql$, narrow_table, narrow, wide_table, wide)
      using starts, project, done_target, target, bucket;
      return;
    end if;

    -- The project is done. Find the next one; a skip scan, since each project has its own range of the index.
    execute format($sql$
      with recursive other (id) as (
        select min(project_id) from %1$I where project_id > $1
        union all
        select (select min(project_id) from %1$I where project_id > other.id) from other where id is not null
      )
      select id from other
      where exists (select from %1$I where project_id = other.id and %2$I >= $2 and %2$I < $3)
      limit 1 $sql$, narrow_table, narrow)
    into project
    using project, bucket, bucket + wide_step;
    done_target := null;
    continue when project is not null;

    -- The bucket is done. Jump to the next one with clicks.
    execute format($sql$
      with recursive other (id) as (
        select min(project_id) from %1$I
        union all
        select (select min(project_id) from %1$I where project_id > other.id) from other where id is not null
      )
      select coalesce(date_trunc($1, min(next.start)), $3)
      from other cross join lateral (
        select %2$I as start from %1$I
        where project_id = other.id and %2$I >= $2 and %2$I < $3
        order by %2$I limit 1
      ) as next $sql$, narrow_table, narrow)
    into bucket
    using wide, bucket + wide_step, up_to;
    project := 0;
    target := '';
  end loop;
end $$;
revoke execute on function roll_up_part(text, text, timestamptz, int, timestamptz, int, text) from public;
