-- How the audit log names a forgotten visitor: by a hash that is the same in every project.
create or replace function forgotten_visitor(visitor text) returns text
  language sql immutable strict parallel safe
as $$ select 'visitor:' || lpad(to_hex(visitor_hash(0, visitor)), 8, '0') $$;
