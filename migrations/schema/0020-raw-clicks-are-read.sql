-- Lets the API read raw clicks, for lists and exports: all columns but visitor_id, which the function click_visitors() shows to
-- auditors and owners. The index skips the partitions, and pages of them, without clicks of a time range. It takes a few bytes for
-- 32 pages of clicks.
--
-- Reads all raw clicks once to build the index, while processors wait; about a minute for 10 GB. Earlier versions may run
-- against this schema.

grant select (bot, url, referrer, props) on clicks to clicktally_api;
create index clicks_by_occurrence on clicks using brin (occurred_at) with (pages_per_range = 32);
