-- Adds sums of columns by day and month, so that a breakdown of a long range does not read each click (decision 0027).
-- Earlier versions may run against this schema: they do not use these tables.

-- The format of data is in packages/columns/sums.ts. Days and months are in UTC.
create table dimension_sums (
  project_id int not null,
  dimension text collate "C" not null,
  width text not null check (width in ('day', 'month')),
  start timestamptz not null,
  data bytea not null,
  primary key (project_id, dimension, width, start)
);
alter table dimension_sums alter column data set storage external;

-- Days and months with columns that are not summed, or no longer. Packing an hour adds its day and its month in the same
-- transaction.
create table stale_sums (
  project_id int not null,
  width text not null check (width in ('day', 'month')),
  start timestamptz not null,
  primary key (project_id, width, start)
);
insert into stale_sums (project_id, width, start)
select distinct project_id, width, date_trunc(width, hour, 'UTC')
from click_columns cross join unnest(array['day', 'month']) as width
where part = 0 and dimension = 'target';

grant select, insert, delete on dimension_sums, stale_sums to clicktally_processor;
grant select on dimension_sums, stale_sums to clicktally_api, clicktally_operator;
