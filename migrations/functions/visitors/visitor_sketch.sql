-- The sketch of hashes that are sorted and distinct, like those of array_agg(distinct …): the 2,048 smallest.
create or replace function visitor_sketch(hashes int[]) returns int[]
  language sql immutable parallel safe
  return coalesce(hashes[1:2048], '{}');
