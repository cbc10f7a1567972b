-- Counters become append-only deltas, folded into minutes and rolled up into hours, days and months (decision 0010).
-- Earlier processors must not run against this schema: they update the table counters, which becomes a view.

-- Increments by processors, for each target and for all targets together (''). No key and no index, so inserts never wait.
-- Several rows per counter are normal. Folds empty the table continuously, hence the eager autovacuum.
create table counter_deltas (
  project_id int not null,
  target text collate "C" not null,
  minute timestamptz not null,
  total int not null,
  bots int not null,
  visitors int[] not null
) with (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1,
  autovacuum_vacuum_cost_delay = 0
);

-- Counters per bucket width; all buckets are in UTC. Target '' stands for all targets of the project together.
-- The column order avoids padding. visitors_below is the largest hash of a full sketch: a merge can skip every hash above it
-- without reading the long sketch itself. Hashes are evenly distributed bits, so compressing them costs time and saves nothing.
create table minute_counters (
  minute timestamptz not null,
  project_id int not null,
  total int not null,
  bots int not null,
  target text collate "C" not null,
  visitors int[] not null,
  visitors_below int generated always as (case when cardinality(visitors) = 2048 then visitors[2048] end) stored,
  primary key (project_id, minute, target)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
alter table minute_counters alter column visitors set storage external;

create table hour_counters (
  hour timestamptz not null,
  project_id int not null,
  total int not null,
  bots int not null,
  target text collate "C" not null,
  visitors int[] not null,
  visitors_below int generated always as (case when cardinality(visitors) = 2048 then visitors[2048] end) stored,
  primary key (project_id, hour, target)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
alter table hour_counters alter column visitors set storage external;

create table day_counters (
  day timestamptz not null,
  project_id int not null,
  total bigint not null,
  bots bigint not null,
  target text collate "C" not null,
  visitors int[] not null,
  visitors_below int generated always as (case when cardinality(visitors) = 2048 then visitors[2048] end) stored,
  primary key (project_id, day, target)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
alter table day_counters alter column visitors set storage external;

create table month_counters (
  month timestamptz not null,
  project_id int not null,
  total bigint not null,
  bots bigint not null,
  target text collate "C" not null,
  visitors int[] not null,
  visitors_below int generated always as (case when cardinality(visitors) = 2048 then visitors[2048] end) stored,
  primary key (project_id, month, target)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
alter table month_counters alter column visitors set storage external;

-- Every hour with clicks before hours_before is in hour_counters; days and months likewise. The horizon only advances, and folds
-- keep everything before it exact, so a reader may rely on an older value of it.
create table rollup_horizon (
  only_row boolean primary key default true check (only_row),
  hours_before timestamptz not null,
  days_before timestamptz not null,
  months_before timestamptz not null,
  check (months_before <= days_before and days_before <= hours_before)
);
insert into rollup_horizon (hours_before, days_before, months_before)
select date_trunc('hour', oldest, 'UTC'), date_trunc('day', oldest, 'UTC'), date_trunc('month', oldest, 'UTC')
from (select coalesce(min(minute), clock_timestamp()) as oldest from counters) as counter;

insert into minute_counters (project_id, minute, target, total, bots, visitors)
select project_id, minute, target, total, bots, visitors from counters order by project_id, minute, target;
insert into minute_counters (project_id, minute, target, total, bots, visitors)
select project_id, minute, '', sum(total), sum(bots), array(
  select distinct hash
  from counters as part, unnest(part.visitors) as hash
  where part.project_id = counters.project_id and part.minute = counters.minute
  order by hash limit 2048)
from counters group by project_id, minute;
drop table counters;
-- All counted clicks, folded or not. May contain several rows per counter.
create view counters as
select project_id, target, minute, total, bots, visitors from minute_counters where target <> ''
union all
select project_id, target, minute, total, bots, visitors from counter_deltas where target <> '';

-- Processors only insert deltas. Only the fold, which runs with its owner's rights, deletes deltas and updates counters.
grant insert on counter_deltas to clicktally_processor;
-- To vacuum directly after a fold.
grant maintain on counter_deltas to clicktally_processor;
grant select on counters, counter_deltas, minute_counters, hour_counters, day_counters, month_counters, rollup_horizon
  to clicktally_api, clicktally_operator;
grant insert, update, delete on minute_counters, hour_counters, day_counters, month_counters to clicktally_operator;
