-- Processors of several queues report to one database: one for each region (decision 0048).
--
-- Earlier versions may run against this schema, but not beside processors that have a region: they would take over their rows.

alter table processor_progress
  -- Of the queue that the process consumes. Empty: that of the centre.
  add column region text not null default '';
