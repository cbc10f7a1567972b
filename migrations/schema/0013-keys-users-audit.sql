-- Adds keys, users, sessions and the audit log. Only the role clicktally_auth writes them, and projects.
-- Earlier versions may run against this schema: they do not use these tables.

do $$ begin
  if not exists (select from pg_roles where rolname = 'clicktally_auth') then create role clicktally_auth nologin; end if;
exception when duplicate_object or unique_violation then null;
end $$;
grant usage on schema public to clicktally_auth;

alter table projects
  add column created_at timestamptz not null default now(),
  -- Whether the visitor of a click without visitorId is derived from the browser's address and user agent.
  add column derives_visitors boolean not null default true,
  add constraint projects_name_form check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$');
create sequence project_ids as int start 2 owned by projects.id;
alter table projects alter column id set default nextval('project_ids');

create table keys (
  -- Part of the key's text: names the key in lists and in the audit log.
  id text primary key check (id ~ '^[0-9A-Za-z]{12}$'),
  project_id int not null references projects,
  role text not null check (role in ('write', 'secret', 'read', 'auditor', 'owner')),
  label text not null check (length(label) <= 128),
  -- SHA-256 of the key's text. The text itself is stored nowhere.
  hash bytea not null unique check (length(hash) = 32),
  origins text[] not null default '{}',
  clicks_per_second int check (clicks_per_second > 0),
  -- Belongs to the installation: kept equal to the operator's secret file, and not changed over HTTP.
  is_operator boolean not null default false,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
create index keys_by_project on keys (project_id);

create table users (
  id uuid primary key default uuidv7(),
  email text not null check (length(email) between 3 and 254),
  role text not null check (role in ('owner', 'auditor')),
  -- argon2id in the PHC string format. Null until the invitation is accepted.
  password_hash text,
  created_at timestamptz not null default now(),
  disabled_at timestamptz
);
create unique index users_by_email on users (lower(email));

create table sessions (
  -- SHA-256 of the cookie's value.
  hash bytea primary key check (length(hash) = 32),
  user_id uuid not null references users on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index sessions_by_user on sessions (user_id);

-- Links by which a user sets a password: an invitation, or a reset by an owner. Each works once.
create table password_links (
  -- SHA-256 of the token in the link.
  hash bytea primary key check (length(hash) = 32),
  user_id uuid not null references users on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index password_links_by_user on password_links (user_id);

-- Every change of projects, keys and users, and every sign-in. Rows are never changed.
create table audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  -- Who: 'key:<id>', 'user:<id>' or 'system'.
  actor text not null,
  actor_name text not null,
  -- From where: the client's address as nginx saw it. Null for the system.
  address inet,
  -- What: such as 'key.create', and which project, key or user.
  action text not null,
  subject text not null,
  detail jsonb not null default '{}'
);

-- Random salts of the visitors derived from address and user agent, one per UTC day. Deleted after 48 hours, and with them the
-- only way to relate these visitors to an address.
create table visitor_salts (
  day date primary key,
  salt bytea not null check (length(salt) = 32)
);

-- The version of what services verify keys from: one row.
create table key_version (
  only_row boolean primary key default true check (only_row),
  version bigint not null
);
insert into key_version (version) values (1);

create function advance_key_version() returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, public
as $$ begin
  update key_version set version = version + 1;
  return null;
end $$;
create trigger advance_key_version after insert or update or delete on projects for each statement execute function advance_key_version();
create trigger advance_key_version after insert or update or delete on keys for each statement execute function advance_key_version();
create trigger advance_key_version after insert or update or delete on visitor_salts for each statement execute function advance_key_version();

-- Of a dead letter with several clicks: the project of each, in the order of click_ids; 0 where it is unknown.
alter table dead_letters add column click_projects int[] not null default '{}';
update dead_letters set click_projects = array_fill(1, array[cardinality(click_ids)]);
grant select (click_projects) on dead_letters to clicktally_api;

grant select, insert, update (name, derives_visitors) on projects to clicktally_auth;
grant usage on sequence project_ids to clicktally_auth;
grant select, insert, update (label, hash, origins, clicks_per_second, expires_at, revoked_at) on keys to clicktally_auth;
grant select, insert, update (email, role, password_hash, disabled_at) on users to clicktally_auth;
grant select, insert, delete on sessions, password_links, visitor_salts to clicktally_auth;
-- Not update, not delete: a service that is taken over cannot hide what it did.
grant select, insert on audit_log to clicktally_auth;
grant select on key_version to clicktally_auth;

grant select on key_version to clicktally_api;
grant select (id, project_id, role, hash, origins, clicks_per_second, expires_at, revoked_at) on keys to clicktally_api;
grant select (hash, user_id, expires_at) on sessions to clicktally_api;
grant select (id, role, disabled_at) on users to clicktally_api;
grant select on projects, keys, users, audit_log to clicktally_operator;
