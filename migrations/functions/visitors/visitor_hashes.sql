-- Concatenates the hashes of many sketches, possibly with duplicates. A single sketch is returned as it is. The state never grows
-- far beyond 16,384 hashes, which bounds the cost of copying it for each sketch.
create or replace function visitor_hashes_add(hashes int[], added int[]) returns int[]
  language plpgsql immutable strict parallel safe
as $$ begin
  if cardinality(hashes) < 16384 then return hashes || added; end if;
  return visitor_sketch_merge(hashes, added);
end $$;

create or replace aggregate visitor_hashes (int[]) (
  sfunc = visitor_hashes_add, stype = int[], parallel = safe
);
