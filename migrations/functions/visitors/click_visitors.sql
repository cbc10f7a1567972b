-- The visitors of these clicks, for the API: only with the credential of an auditor or owner, the text of a key or the token of a
-- session. An API that was taken over cannot read visitors otherwise.
create or replace function click_visitors(credential text, project int, ids uuid[])
  returns table (id uuid, visitor_id text)
  language plpgsql stable
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  credential_hash bytea := sha256(convert_to(credential, 'UTF8'));
begin
  if not exists (
    select from keys
    where hash = credential_hash and role in ('auditor', 'owner')
      and revoked_at is null and (expires_at is null or expires_at > now())
    union all
    select from sessions join users on users.id = sessions.user_id
    where sessions.hash = credential_hash and sessions.expires_at > now()
      and users.role in ('auditor', 'owner') and users.disabled_at is null
  ) then
    raise exception 'Visitors are shown to auditors and owners only.' using errcode = 'insufficient_privilege';
  end if;
  return query
    select clicks.id, clicks.visitor_id from clicks
    where clicks.id = any (ids) and clicks.project_id = project and clicks.visitor_id is not null;
end $$;
revoke execute on function click_visitors(text, int, uuid[]) from public;
grant execute on function click_visitors(text, int, uuid[]) to clicktally_api;
