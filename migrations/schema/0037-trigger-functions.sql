-- Keeps temporary tables from hiding those that trigger functions mean: without pg_temp in a search_path they come first. The stored functions
-- that are files of their own say the same.
--
-- The versions of the keys become times, and never return: after a restore from a backup the next change had the version of a change that
-- services had seen already, which they took for the same keys.
-- Earlier versions may run against this schema: to them a version is a number that grows.

alter function keep_previous_secret() set search_path = pg_catalog, public, pg_temp;

create or replace function advance_key_version() returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$ begin
  update key_version set version = greatest(version + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint);
  return null;
end $$;
