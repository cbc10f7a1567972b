-- Concatenates the arrays of a group.
create or replace aggregate concatenated (int[]) (
  sfunc = array_cat, stype = int[], parallel = safe
);
