-- Records in the audit log that an operator forgets a visitor. Returns the id of the entry, which forget_visitor_clicks() requires.
-- The entry has a hash of 31 bits instead of the visitor's id: it confirms a given id, but does not reveal it.
create or replace function record_forgetting(visitor text, only_project int, operator_name text) returns bigint
  language sql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
  -- From archives the janitor removes the visitor, with its next run. Also from one that it writes and gives up before the caller has
  -- reached these clicks: it may not have begun any.
  insert into archive_erasures (visitor_id, project_id)
  select visitor, only_project
  where exists (select from projects where keep_raw_days is not null and id = coalesce(only_project, id))
    or exists (select from archives where project_id = coalesce(only_project, project_id));
  insert into audit_log (actor, actor_name, action, subject, detail)
  values ('operator', operator_name, 'visitor.forget', forgotten_visitor(visitor),
    case when only_project is null then '{}' else jsonb_build_object('projectId', only_project) end)
  returning id
$$;
revoke execute on function record_forgetting(text, int, text) from public;
grant execute on function record_forgetting(text, int, text) to clicktally_operator;
