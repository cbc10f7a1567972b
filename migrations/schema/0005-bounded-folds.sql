-- Folds and roll-ups in bounded parts, each in its own transaction; a delta that cannot be folded no longer blocks the others
-- (decision 0018).
--
-- Earlier processors may run against this schema: they fold but do not roll up, so queries read more rows until a newer one runs.
-- An earlier `clicktally rebuild` must not: it takes an advisory lock that the folds no longer respect.

-- migrations/functions/ creates fold_counters() again.
drop function if exists fold_counters();
drop function if exists fold_counters_at(timestamptz);

-- A roll-up reads the narrower buckets in the order (bucket, project, target), and the horizon is its position: hours before
-- hours_before are rolled up, and within the hour that begins there, the targets up to (hours_project, hours_target).
-- Days and months likewise. Project 0 has no clicks: it means that nothing of that bucket is rolled up.
--
-- Folds, roll-ups and rebuilds lock this row. Only functions of the table's owner can take the lock.
alter table rollup_horizon
  add column hours_project int not null default 0,
  add column hours_target text collate "C" not null default '',
  add column days_project int not null default 0,
  add column days_target text collate "C" not null default '',
  add column months_project int not null default 0,
  add column months_target text collate "C" not null default '',
  -- Every delta committed before this time is folded or set aside.
  add column folded_through timestamptz not null default clock_timestamp();

-- A delta that cannot be folded stays here, where every query reads it, and is retried after this time.
-- Null in all others, which takes no space.
alter table counter_deltas add column set_aside_until timestamptz;

-- Rejects deltas that no fold could add: an index entry holds at most 2,704 bytes, a target at most 256 characters of four bytes.
-- A processor moves a click rejected by this to the dead letters.
-- not valid: existing rows that cannot be folded must remain updatable to be set aside.
alter table counter_deltas
  add constraint counter_deltas_foldable check (
    set_aside_until is not null
    or octet_length(target) <= 1024 and total >= 0 and bots >= 0
      and isfinite(minute) and cardinality(visitors) <= 2048
  ) not valid;
