import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'

/**
 * Since when raw clicks are kept (decision 0019). Nothing is dropped yet: it is for whoever does.
 *
 * Old code may run beside it as long as the horizon is not moved. A processor of before would give clicks from before it
 * another reason in the dead letters, and a `clicktally rebuild` of before would delete their counters.
 */
export async function up(db: Kysely<never>): Promise<void> {
  await sql.raw(await readFile(join(import.meta.dirname, '0010-raw-clicks-horizon.sql'), 'utf8')).execute(db)
}
