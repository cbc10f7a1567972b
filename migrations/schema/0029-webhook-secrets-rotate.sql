-- Lets an owner replace the secret of a webhook: for some time requests have a signature with each of both.
-- Earlier versions may run against this schema: an earlier notifier signs with the new secret only.

alter table webhooks
  add column previous_secret bytea check (length(previous_secret) = 32),
  -- Until then requests are signed with it too.
  add column previous_secret_until timestamptz,
  add check ((previous_secret is null) = (previous_secret_until is null));

-- auth replaces a secret without being able to read the old one. It sets previous_secret_until, and this keeps the secret that was.
create function keep_previous_secret() returns trigger
  language plpgsql
  set search_path = pg_catalog, public
as $$ begin
  if new.previous_secret_until > now() then
    new.previous_secret := old.secret;
  else
    new.previous_secret := null;
    new.previous_secret_until := null;
  end if;
  return new;
end $$;
create trigger keep_previous_secret before update of secret on webhooks for each row execute function keep_previous_secret();

grant update (secret, previous_secret_until) on webhooks to clicktally_auth;
-- To remove it when its time is over.
grant update (previous_secret, previous_secret_until) on webhooks to clicktally_notifier;
