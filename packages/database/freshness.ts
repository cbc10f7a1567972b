/**
 * The time before which everything accepted has been counted: the minimum over all processes. Null if it is unknown.
 *
 * It involves no clock and skips no row: the row of a process that is gone stands for what it held, until another process has
 * taken it over (services/processor/progress/progress-report.ts).
 */
export const asOfQuery = `
select nullif(min(counted_through), '-infinity') as as_of from processor_progress`
