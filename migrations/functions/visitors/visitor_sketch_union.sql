-- Merges the sketches of a group; for few sketches, see visitor_hashes() for many. A single sketch is returned as it is.
create or replace aggregate visitor_sketch_union (int[]) (
  sfunc = visitor_sketch_merge, stype = int[], parallel = safe
);
