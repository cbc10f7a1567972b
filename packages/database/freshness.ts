/**
 * Up to when everything accepted has been counted: what the slowest of the processors has reported. Null if none ever has.
 *
 * One that has fallen silent counts as long as it may hold messages: the broker takes them back when it has missed two
 * heartbeats, after 20 to 30 s, and one that is cut off from the database gives them back by then. While none reports, it
 * stands still.
 */
export const asOfQuery = `
select min(counted_through) as as_of from processor_progress
where updated_at > (select max(updated_at) from processor_progress) - interval '40 seconds'`
