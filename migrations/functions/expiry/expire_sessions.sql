-- Deletes sessions and password links that have expired. Returns how many.
create or replace function expire_sessions() returns bigint
  language sql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
  with ended as (delete from sessions where expires_at <= now() returning 1),
    unused as (delete from password_links where expires_at <= now() returning 1)
  select (select count(*) from ended) + (select count(*) from unused)
$$;
revoke execute on function expire_sessions() from public;
grant execute on function expire_sessions() to clicktally_janitor;
