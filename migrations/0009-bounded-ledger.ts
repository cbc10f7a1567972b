import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'

/**
 * A ledger whose work does not grow with the connections that there ever were (decision 0019).
 *
 * A processor of before must not run beside it: it keeps the folds of the ledger off by an advisory lock, which they do not
 * heed any more. Nor an api of before: it knows nothing of unsettled_messages.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const file of ['tables', 'standing', 'fold', 'rights']) {
    const statements = await readFile(join(import.meta.dirname, '0009-bounded-ledger', `${file}.sql`), 'utf8')
    await sql.raw(statements).execute(db)
  }
}
