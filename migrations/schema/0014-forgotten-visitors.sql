-- `clicktally visitors forget` removes a visitor from clicks and counters, with the functions in migrations/functions/visitors/.
-- Its entries in the audit log have the actor 'operator' and the visitor's hash, not the id.
-- Earlier versions may run against this schema.

-- To rewrite the table after salts were deleted: a deleted row stays in the table's file until then.
grant maintain on visitor_salts to clicktally_auth;
