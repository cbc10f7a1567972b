import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import { type ClickQuery, type ClickRow, clickPage, hasClicks } from '../queries/click-page.ts'
import { clickPartitions } from '../queries/click-partitions.ts'

/** After this time a page ends with the current partition, even if it is not full. Below the statement timeout. */
const searchForMs = 2_000

/**
 * The newest clicks by id, and the bound below which the next page begins; null if there are no more.
 *
 * @param before the bound of the page
 */
export async function newestClicks(
  db: Kysely<Tables>,
  query: ClickQuery,
  limit: number,
  before?: string,
): Promise<{ readonly rows: ClickRow[]; readonly next: string | null }> {
  const startedAtMs = performance.now()
  const rows: ClickRow[] = []
  const partitions = (await clickPartitions(db)).filter(({ fromId }) => before === undefined || fromId < before)
  for (let partition = partitions.pop(); partition !== undefined; partition = partitions.pop()) {
    const { fromId, toId } = partition
    const range = { fromId, toId: before !== undefined && before < toId ? before : toId }
    if (await hasClicks(db, query.filter, range)) {
      // One more shows whether there is a next page.
      rows.push(...(await clickPage(db, query, range, 'desc', limit + 1 - rows.length)))
    }
    if (rows.length > limit) return { rows: rows.slice(0, limit), next: rows[limit - 1]?.id ?? null }
    const isLate = performance.now() - startedAtMs > searchForMs
    if (isLate && partitions.length > 0) return { rows, next: fromId }
  }
  return { rows, next: null }
}
