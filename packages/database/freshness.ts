/**
 * The time before which everything accepted has been counted: the least that any process says. Null if that is not known.
 *
 * No clock is asked, and no row is left out: the row of a process that is gone stands for what it held until a survivor has
 * taken over (services/processor/progress-report.ts).
 */
export const asOfQuery = `
select nullif(min(counted_through), '-infinity') as as_of from processor_progress`
