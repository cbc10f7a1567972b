-- `clicktally doctor` compares the schema of the database with the one that it knows. Earlier versions may run against this schema.

grant select on kysely_migration, applied_functions to clicktally_operator;
