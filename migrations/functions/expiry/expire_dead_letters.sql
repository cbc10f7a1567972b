-- Removes the content of dead letters that were resolved this long ago, of at most 1,000 a call. Returns how many. The rows stay: the
-- balance sums them.
create or replace function expire_dead_letters(age interval) returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  expired bigint;
begin
  if age < interval '1 day' then raise exception 'Too young: %.', age using errcode = 'invalid_parameter_value'; end if;
  update dead_letters set content = '', detail = ''
  where id = any (array(
    select id from dead_letters where resolved_at < now() - age and content <> '' order by id limit 1000 for update skip locked));
  get diagnostics expired = row_count;
  return expired;
end $$;
revoke execute on function expire_dead_letters(interval) from public;
grant execute on function expire_dead_letters(interval) to clicktally_janitor;
