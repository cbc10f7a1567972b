-- Finds the clicks of a visitor in some pages of a partition, with the counter of each; is_counted is false for bots, which are no
-- visitors. No index has visitors, so all pages have to be read.
create or replace function visitor_clicks(partition regclass, from_page bigint, to_page bigint, visitor text, only_project int)
  returns table (id uuid, project_id int, target text, minute timestamptz, is_counted boolean)
  language plpgsql stable
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$ begin
  if not exists (select from pg_inherits where inhparent = 'clicks'::regclass and inhrelid = partition) then
    raise exception '% is not a partition of clicks', partition using errcode = 'invalid_parameter_value';
  end if;
  return query execute format($sql$
    select id, project_id, target, minute, visitor is not null
    from %s as click cross join lateral click_count(project_id, occurred_at, bot, visitor_id)
    where click.ctid >= $1 and click.ctid < $2 and visitor_id = $3 and ($4 is null or project_id = $4)
    $sql$, partition)
  using format('(%s,0)', from_page)::tid, format('(%s,0)', to_page)::tid, visitor, only_project;
end $$;
revoke execute on function visitor_clicks(regclass, bigint, bigint, text, int) from public;
grant execute on function visitor_clicks(regclass, bigint, bigint, text, int) to clicktally_operator;
