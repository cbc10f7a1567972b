-- Adds links that count and redirect. Earlier versions may run against this schema: they do not use the table.

create table links (
  -- Chosen by an owner or random. Part of the URL.
  slug text primary key check (slug ~ '^[a-z0-9][a-z0-9-]{2,62}$'),
  project_id int not null references projects,
  -- What a visit is counted as.
  target text not null check (length(target) between 1 and 256),
  -- Where it leads to.
  url text not null check (length(url) between 1 and 2048),
  created_at timestamptz not null default now()
);
create index links_by_project on links (project_id);

-- ingest knows links from the same snapshots as keys.
create trigger advance_key_version after insert or update or delete on links for each statement execute function advance_key_version();

grant select, insert, delete on links to clicktally_auth;
grant select on links to clicktally_operator;
