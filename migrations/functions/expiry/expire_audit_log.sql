-- Deletes entries of the audit log that are this old, at least 90 days, and records that it did. Returns how many.
create or replace function expire_audit_log(age interval) returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  expired bigint;
begin
  if age < interval '90 days' then raise exception 'Too young: %.', age using errcode = 'invalid_parameter_value'; end if;
  delete from audit_log where at < now() - age;
  get diagnostics expired = row_count;
  if expired > 0 then
    insert into audit_log (actor, actor_name, action, subject, detail)
    values ('system', 'janitor', 'audit.expire', 'audit_log', jsonb_build_object('entries', expired, 'before', now() - age));
  end if;
  return expired;
end $$;
revoke execute on function expire_audit_log(interval) from public;
grant execute on function expire_audit_log(interval) to clicktally_janitor;
