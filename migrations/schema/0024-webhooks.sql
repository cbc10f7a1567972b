-- Adds webhooks, the thresholds that owners set, and the events that services/notifier sends. Earlier versions may run against this
-- schema: they do not use these tables.

do $$ begin
  if not exists (select from pg_roles where rolname = 'clicktally_notifier') then create role clicktally_notifier nologin; end if;
exception when duplicate_object or unique_violation then null;
end $$;
grant usage on schema public to clicktally_notifier;

create table webhooks (
  id uuid primary key default uuidv7(),
  project_id int not null references projects,
  url text not null check (length(url) between 1 and 2048),
  -- The key of the signatures. It cannot be hashed: each delivery is signed with it.
  secret bytea not null check (length(secret) = 32),
  created_at timestamptz not null default now(),
  disabled_at timestamptz,
  -- 'owner', 'failing': a delivery was given up, 'gone': the receiver answered 410.
  disabled_because text check (disabled_because in ('owner', 'failing', 'gone')),
  -- An instance of the notifier delivers to this webhook, and no other may until this time.
  busy_until timestamptz not null default '-infinity',
  check ((disabled_at is null) = (disabled_because is null))
);
create index webhooks_by_project on webhooks (project_id);

create table thresholds (
  id uuid primary key default uuidv7(),
  project_id int not null references projects,
  -- Null: all targets together.
  target text check (length(target) between 1 and 256),
  type text not null check (type in ('reached', 'silent')),
  -- 'reached': this many clicks by people, or more, in the window. 'silent': none.
  clicks int check (clicks > 0),
  window_minutes int not null check (window_minutes between 1 and 1440),
  created_at timestamptz not null default now(),
  -- Minutes from this time on count.
  starts_at timestamptz not null default date_trunc('minute', now()) + interval '1 minute',
  -- Minutes that ended by this time have been judged.
  judged_through timestamptz not null default date_trunc('minute', now()) + interval '1 minute',
  -- The end of the window that was told. Null: the next window that meets the condition is told.
  met_at timestamptz,
  check ((type = 'reached') = (clicks is not null))
);
create index thresholds_by_project on thresholds (project_id);

-- What happened, as it is sent: the same bytes at each attempt. Kept for 30 days.
create table webhook_events (
  id uuid primary key default uuidv7(),
  project_id int not null references projects,
  type text not null,
  body text not null,
  created_at timestamptz not null default now()
);
create index webhook_events_by_age on webhook_events (created_at);

create table webhook_deliveries (
  webhook_id uuid not null references webhooks on delete cascade,
  event_id uuid not null references webhook_events on delete cascade,
  -- Started attempts.
  attempts int not null default 0,
  last_attempt_at timestamptz,
  -- The status that the receiver answered. Null if it did not.
  last_status int,
  last_error text,
  -- Null: delivered, or given up.
  next_attempt_at timestamptz default now(),
  delivered_at timestamptz,
  primary key (webhook_id, event_id),
  check (delivered_at is null or next_attempt_at is null)
);
create index webhook_deliveries_due on webhook_deliveries (webhook_id, next_attempt_at) where next_attempt_at is not null;
create index webhook_deliveries_by_event on webhook_deliveries (event_id);

-- auth writes a secret and cannot read it.
grant select (id, project_id, url, created_at, disabled_at, disabled_because), insert, update (disabled_at, disabled_because), delete
  on webhooks to clicktally_auth;
grant select, insert, delete on thresholds to clicktally_auth;
grant select, insert on webhook_events to clicktally_auth;
grant select, insert, update (attempts, next_attempt_at, delivered_at) on webhook_deliveries to clicktally_auth;

-- The notifier reads counts, not clicks, and of counts no visitors.
grant select (project_id, target, minute, total) on minute_counters, counter_deltas to clicktally_notifier;
grant select (counted_through) on processor_progress to clicktally_notifier;
grant select (id, name) on projects to clicktally_notifier;
grant select, update (busy_until, disabled_at, disabled_because) on webhooks to clicktally_notifier;
grant select, update (judged_through, met_at) on thresholds to clicktally_notifier;
grant select, insert, delete on webhook_events to clicktally_notifier;
grant select, insert, update (attempts, last_attempt_at, last_status, last_error, next_attempt_at, delivered_at)
  on webhook_deliveries to clicktally_notifier;
-- That it disabled a webhook. It cannot read the log.
grant insert on audit_log to clicktally_notifier;

grant select (id, project_id, url, created_at, disabled_at, disabled_because) on webhooks to clicktally_operator;
grant select on thresholds, webhook_events, webhook_deliveries to clicktally_operator;
