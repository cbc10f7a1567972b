-- Records since when raw clicks are kept (decision 0021). Nothing is dropped yet.
--
-- Earlier versions may run against this schema as long as the horizon is not moved. An earlier processor would store clicks from
-- before the horizon as dead letters with another reason; an earlier `clicktally rebuild` would delete their counters.

-- One row. Both times only advance; keep_raw_clicks_since() moves them.
create table raw_clicks (
  only_row boolean primary key default true check (only_row),
  -- Clicks with an older id may be dropped, and with them the record that they were counted. Such clicks are no longer accepted.
  kept_since timestamptz not null default '-infinity',
  -- All clicks that occurred from this minute on are stored, so their counters can be recomputed. Later than kept_since if a
  -- click occurred after its id was created.
  complete_since timestamptz not null default '-infinity'
);
insert into raw_clicks default values;
grant select on raw_clicks to clicktally_processor, clicktally_api, clicktally_operator;
