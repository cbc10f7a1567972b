-- Adds where a click came from: the visitor's country, and codes of browser, operating system and device
-- (packages/dimensions/agent-codes.ts). Neither identifies a visitor.
--
-- A project declares which of its props are dimensions, by which clicks can be broken down.
--
-- Nullable columns without a default, so no partition is rewritten. Earlier versions may run against this schema: they store
-- clicks without these attributes.

alter table clicks
  add column country text,
  add column agent text;

grant select (country, agent) on clicks to clicktally_api;

alter table projects
  -- Names of props.
  add column dimensions text[] not null default '{}' check (cardinality(dimensions) <= 20);

grant update (dimensions) on projects to clicktally_auth;
grant select (id, dimensions) on projects to clicktally_processor;
