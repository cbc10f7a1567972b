-- Adds counters that anyone may read under their name, without a key. Earlier versions may run against this schema: they do not use
-- the table.

create table public_counters (
  -- Chosen by an owner or random. Part of the URL.
  slug text primary key check (slug ~ '^[a-z0-9][a-z0-9-]{2,62}$'),
  project_id int not null references projects,
  -- Null: all targets together.
  target text check (length(target) between 1 and 256),
  -- Counts this many days (UTC), today included. Null: all clicks.
  days int check (days between 1 and 3660),
  -- Shown on the badge unless the page asks for another.
  label text not null check (length(label) between 1 and 64),
  created_at timestamptz not null default now()
);
create index public_counters_by_project on public_counters (project_id);

grant select, insert, delete on public_counters to clicktally_auth;
grant select on public_counters to clicktally_api, clicktally_operator;
