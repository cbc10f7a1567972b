-- Everything that a wider bucket is made of is read in the order (bucket, project, target), and the horizon says how far:
-- hours before hours_before are rolled up, and of the hour that begins there, the targets up to (hours_project, hours_target).
-- Days and months alike. Project 0 has no clicks: with it nothing of that bucket is rolled up.
--
-- Whoever folds, rolls up or rebuilds holds the lock of this row, so that only the owner of its table can keep others from it.
alter table rollup_horizon
  add column hours_project int not null default 0,
  add column hours_target text collate "C" not null default '',
  add column days_project int not null default 0,
  add column days_target text collate "C" not null default '',
  add column months_project int not null default 0,
  add column months_target text collate "C" not null default '',
  -- Every delta that was committed before this moment is folded, or set aside.
  add column folded_through timestamptz not null default clock_timestamp();

-- What can't be folded is left where it is, where every question reads it, and is tried again after this time.
-- Null in all others: it takes up no room in their rows.
alter table counter_deltas add column set_aside_until timestamptz;

-- What no fold could add to the counters: an entry of their index has room for 2,704 bytes, and a target has 256 characters
-- of four bytes at most. A processor whose click is refused for it buries the click.
-- Rows of before are not looked at: those that can't be folded are set aside, for which they are written once more.
alter table counter_deltas
  add constraint counter_deltas_foldable check (
    set_aside_until is not null
    or octet_length(target) <= 1024 and total >= 0 and bots >= 0
      and isfinite(minute) and cardinality(visitors) <= 2048
  ) not valid;
