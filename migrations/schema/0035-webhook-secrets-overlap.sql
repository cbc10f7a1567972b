-- Keeps each replaced secret of a webhook until its own time. Before, a second replacement within an overlap dropped the first secret, which
-- a receiver may still use: for example when the answer to the first request was lost.
-- Earlier versions may run against this schema: an earlier notifier signs with the secret and the one before only.

create table replaced_webhook_secrets (
  webhook_id uuid not null references webhooks on delete cascade,
  secret bytea not null check (length(secret) = 32),
  -- Until then requests are signed with it too.
  used_until timestamptz not null,
  primary key (webhook_id, secret)
);
insert into replaced_webhook_secrets
select id, previous_secret, previous_secret_until from webhooks where previous_secret is not null;

grant select, delete on replaced_webhook_secrets to clicktally_notifier;

-- auth replaces a secret without being able to read the old one. It sets previous_secret_until, and this keeps the secret that was.
-- Without an overlap no replaced secret is used any more. previous_secret is for notifiers of earlier versions.
create or replace function keep_previous_secret() returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, public
as $$ begin
  if new.previous_secret_until > now() then
    new.previous_secret := old.secret;
    insert into replaced_webhook_secrets values (old.id, old.secret, new.previous_secret_until);
    -- Each is a signature in a header of every request.
    delete from replaced_webhook_secrets where webhook_id = old.id and secret not in (
      select secret from replaced_webhook_secrets where webhook_id = old.id order by used_until desc limit 5);
  else
    new.previous_secret := null;
    new.previous_secret_until := null;
    delete from replaced_webhook_secrets where webhook_id = old.id;
  end if;
  return new;
end $$;
