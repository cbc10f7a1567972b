-- Lets the janitor make the primary keys of counters anew, and rewrite small tables of counters after an import (decision 0044). The right to
-- maintain a table is one to rewrite and to lock it, not to read or change it.
--
-- Earlier versions may run against this schema.

grant maintain on hour_counters, day_counters, month_counters to clicktally_janitor;
-- How long targets are on average, in pg_stats.
grant select (target) on hour_counters, day_counters, month_counters to clicktally_janitor;
