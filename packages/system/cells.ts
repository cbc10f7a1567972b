/** The cell that every installation has: the broker and the database of `BROKER_URL` and `DATABASE_URL` (decision 0047). */
export const homeCell = 'home'

/** The form of a cell's name. */
export const cellNamePattern = '^[a-z][a-z0-9-]{0,30}$'
