-- Projects get a cell: the broker and the database where their clicks are counted (decision 0047).
--
-- Earlier versions may run against this schema: until a project is in another cell than `home`, nothing changes.

alter table projects
  add column cell text not null default 'home' check (cell ~ '^[a-z][a-z0-9-]{0,30}$'),
  -- While the project moves: the cell from which it is read, and the time after which that may lack clicks.
  add column moving_from text,
  add column moving_since timestamptz,
  add constraint projects_moving check ((moving_from is null) = (moving_since is null));

-- services/auth copies changes of projects to the other cells.
grant update (cell, moving_from, moving_since) on projects to clicktally_auth;
