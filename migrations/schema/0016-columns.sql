-- Adds columns: the clicks of an hour that is over, once more, by dimension instead of by click (decision 0027). Breakdowns and
-- filters read them instead of the raw clicks.
--
-- Earlier versions may run against this schema: the fold, which runs in the database, marks the hours that have to be packed, and
-- an earlier processor packs none of them.

-- Waits for a fold that began before this, which would not mark its hours.
do $$ begin
  perform from rollup_horizon for update;
end $$;

-- The ids that stand for values in click_columns, for each project and dimension. Id 0 is no value, 1 is any value without an id.
create table dimension_values (
  project_id int not null,
  dimension text collate "C" not null,
  id int not null check (id > 1),
  value text collate "C" not null,
  primary key (project_id, dimension, id),
  unique (project_id, dimension, value)
);

-- The format of data is in packages/columns/column.ts. Besides the dimensions there are 'minute', 'bot' and 'visitor'. A part has
-- at most 65,536 clicks, sorted by target. A column without any value is left out, except for props: an hour may have been packed
-- before its project declared a prop.
create table click_columns (
  project_id int not null,
  hour timestamptz not null,
  part int not null,
  dimension text collate "C" not null,
  data bytea not null,
  primary key (project_id, hour, part, dimension)
);
-- The data is dense, so compressing it would cost time and save little.
alter table click_columns alter column data set storage external;

-- Hours with clicks that are not in click_columns, or not all of them. The fold adds an hour in the transaction that folds deltas
-- of it. Packing removes it, unless a fold has changed it meanwhile.
create table stale_hours (
  project_id int not null,
  hour timestamptz not null,
  -- Incremented by each fold, so that packing knows whether its clicks are complete.
  folds bigint not null default 1,
  stale_since timestamptz not null default clock_timestamp(),
  primary key (project_id, hour)
) with (fillfactor = 50, autovacuum_vacuum_threshold = 1000);
insert into stale_hours (project_id, hour)
select distinct project_id, date_trunc('hour', minute, 'UTC') from minute_counters where target = ''
order by 1, 2;

-- What packing and breakdowns read of a raw click: a visitor's hash, as visitor_hash() has it, instead of the visitor. On a new
-- database that function does not exist yet.
create view attributed_clicks as
select
  project_id, occurred_at, bot,
  case when not bot then (hashtextextended(visitor_id, project_id) & 2147483647)::int end as visitor,
  target, url, referrer, country, agent, props
from clicks;

grant select on attributed_clicks to clicktally_processor, clicktally_api;
-- To pack only while folds have no backlog.
grant select on counter_deltas to clicktally_processor;
grant select, insert on dimension_values to clicktally_processor;
grant select, insert, delete on click_columns to clicktally_processor;
grant select, insert, delete, update (stale_since) on stale_hours to clicktally_processor;
grant select on dimension_values, click_columns, stale_hours to clicktally_api, clicktally_operator;
-- Rebuilt counters may be of clicks that no fold has seen.
grant insert, update (folds) on stale_hours to clicktally_operator;
