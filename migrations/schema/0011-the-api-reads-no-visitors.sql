-- Limits the API to the columns of a raw click that a receipt shows. Visitors, URLs and custom properties stay out of reach of an
-- attacker who takes over the API. A route that shows more needs a migration that grants more.
--
-- Earlier versions may run against this schema: they read no other column.

revoke select on clicks from clicktally_api;
grant select (id, project_id, target, occurred_at, received_at, counted_at) on clicks to clicktally_api;
