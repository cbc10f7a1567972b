-- Records which version of each file in migrations/functions/ this database has.
-- Earlier versions may run against this schema: they do not use this table.

create table applied_functions (
  name text primary key,
  -- SHA-256 of the file, hexadecimal.
  checksum text not null
);
