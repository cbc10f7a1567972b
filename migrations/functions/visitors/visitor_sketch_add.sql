-- Adds a sketch to a stored one. Returns the stored sketch unchanged, still in its form on disk, if nothing is new: most added
-- hashes are already in it or above its largest. kept_below is the largest hash of a full sketch, else null.
-- A single expression, so that the planner inlines it.
create or replace function visitor_sketch_add(kept int[], kept_below int, added int[]) returns int[]
  language sql immutable parallel safe
as $$
  select case
    when added[1] > kept_below or cardinality(added) = 0 then kept
    -- For a short side, comparing each pair is faster than merging; most short sketches hold only new hashes by then.
    when cardinality(added) <= 32 and added <@ kept then kept
    when cardinality(added) <= 32 and not added && kept then (array_sort(kept || added))[1:2048]
    else visitor_sketch_merge(kept, added)
  end
$$;
