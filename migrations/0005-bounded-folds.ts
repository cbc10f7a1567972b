import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'

/**
 * Folds and roll-ups in bounded parts, each in a transaction of its own, and a fold that no delta can stop (decision 0018).
 *
 * A processor of before may run beside it: it folds, but rolls nothing up, so that questions read more rows until a newer
 * one runs. A `clicktally rebuild` of before must not: it takes the advisory lock, which the folds do not heed any more.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const file of ['tables', 'fold', 'roll-up', 'rights']) {
    const statements = await readFile(join(import.meta.dirname, '0005-bounded-folds', `${file}.sql`), 'utf8')
    await sql.raw(statements).execute(db)
  }
}
