-- Merges two bottom-k sketches: the 2,048 smallest hashes of both. The result is the sketch of the union, whatever the overlap, so
-- any range of minutes can be queried. Exact up to 2,048 visitors.
create or replace function visitor_sketch_merge(a int[], b int[]) returns int[]
  language sql immutable strict parallel safe
  return array(select distinct hash from unnest(a || b) as hash order by hash limit 2048);
