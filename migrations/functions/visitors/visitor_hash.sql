-- A visitor's 31-bit hash. hashtextextended returns the same value in every version of PostgreSQL, since hash partitioning relies
-- on it. services/processor/rows/visitor-hash.ts computes the same hash.
create or replace function visitor_hash(project_id int, visitor_id text) returns int
  language sql immutable strict parallel safe
  return (hashtextextended(visitor_id, project_id) & 2147483647)::int;
