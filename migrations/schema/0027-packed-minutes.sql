-- Adds the minutes of hours that are over to the rows of these hours, instead of a row for each minute (decision 0044).
--
-- Earlier versions may run against this schema for a day: they read no packed minutes, so packing begins a day later, except in a
-- database without counters.

-- The minutes of this target and hour that pack_minutes() has moved here. A counter of a minute is the sum of what is here and of
-- its row in minute_counters, which late clicks may add. Null: nothing is packed. n = number of minutes:
--
-- | elements | content                                                                                     |
-- |----------|---------------------------------------------------------------------------------------------|
-- | 1        | n; plus 64 if totals follow; plus 128 if bots follow                                        |
-- | n        | for each minute in order: its number in the hour; plus 64 · the number of hashes of earlier |
-- |          | minutes; plus 2^23 · its total, if none is above 255                                        |
-- | 0 or n   | totals: clicks by people                                                                    |
-- | 0 or n   | clicks by bots                                                                              |
-- | rest     | the sketches of the minutes, one after the other                                            |
alter table hour_counters add column minutes int[];
-- As of `visitors`: compression would cost time and save nothing.
alter table hour_counters alter column minutes set storage external;

-- One row for each packed minute of a target. To read a range of minutes, restrict `hour` as well: it is in the index.
-- "offset 0" keeps the planner from reading a long array anew for each minute.
create view packed_minutes as
select
  project_id,
  hour,
  target,
  hour + (word & 63) * interval '1 minute' as minute,
  coalesce(long_total, word >> 23) as total,
  coalesce(some_bots, 0) as bots,
  packed[
    hashes_after + ((word >> 6) & 131071) + 1
    : hashes_after + coalesce((next_word >> 6) & 131071, cardinality(packed) - hashes_after)] as visitors
from hour_counters
cross join lateral (select minutes || '{}'::int[] as packed offset 0) as whole
cross join lateral (
  select
    packed[1] & 63 as n,
    1 + (packed[1] & 63) * (1 + ((packed[1] >> 6) & 1) + (packed[1] >> 7)) as hashes_after,
    case when packed[1] & 64 > 0 then 1 + (packed[1] & 63) end as totals_after,
    case when packed[1] & 128 > 0 then 1 + (packed[1] & 63) * (1 + ((packed[1] >> 6) & 1)) end as bots_after
  offset 0
) as layout
cross join lateral unnest(
  packed[2 : n + 1],
  packed[3 : n + 1],
  packed[totals_after + 1 : totals_after + n],
  packed[bots_after + 1 : bots_after + n]
) as minute_of_hour (word, next_word, long_total, some_bots)
where minutes is not null;

create or replace view counters as
select project_id, target, minute, total, bots, visitors from minute_counters where target <> ''
union all
select project_id, target, minute, total, bots, visitors from packed_minutes where target <> ''
union all
select project_id, target, minute, total, bots, visitors from counter_deltas where target <> '';

-- Nothing is packed before this time.
alter table rollup_horizon add column packs_minutes_from timestamptz not null default now();
update rollup_horizon set packs_minutes_from = now() + interval '1 day' where exists (select from minute_counters);

grant select on packed_minutes to clicktally_api, clicktally_operator;
-- No visitors.
grant select (project_id, hour, target, minute, total) on packed_minutes to clicktally_notifier;
