-- The time at which this partition of clicks ends: clicks_20261128 has a day, clicks_202611 a month (create_click_partition).
create or replace function click_partition_end(partition text) returns timestamptz
  language plpgsql stable
  set search_path = pg_catalog, public, pg_temp
  set timezone = 'UTC'
as $$
declare
  digits text := substr(partition, 8);
begin
  if partition !~ '^clicks_\d{6}(\d\d)?$' then
    raise exception '% is not a partition of clicks.', partition using errcode = 'invalid_parameter_value';
  end if;
  return case length(digits) when 6 then to_date(digits, 'YYYYMM') + interval '1 month'
    else to_date(digits, 'YYYYMMDD') + interval '1 day' end;
end $$;
revoke execute on function click_partition_end(text) from public;
grant execute on function click_partition_end(text) to clicktally_janitor;
