-- Deletes keys that were revoked or have expired 90 days ago, and records that it did. Returns how many. The audit log has who made and
-- revoked them. Nothing else refers to keys, and services answer for a deleted one as for a revoked one.
create or replace function expire_keys() returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  ended_before timestamptz := now() - interval '90 days';
  expired bigint;
begin
  delete from keys where (revoked_at < ended_before or expires_at < ended_before)
    -- It comes back with its secret file.
    and not is_operator
    -- Without any auth would take the installation for a new one, and install its first keys again, even if they were revoked.
    and id <> (select id from keys where not is_operator order by created_at desc, id desc limit 1);
  get diagnostics expired = row_count;
  if expired > 0 then
    insert into audit_log (actor, actor_name, action, subject, detail)
    values ('system', 'janitor', 'key.expire', 'keys', jsonb_build_object('keys', expired, 'before', ended_before));
  end if;
  return expired;
end $$;
revoke execute on function expire_keys() from public;
grant execute on function expire_keys() to clicktally_janitor;
