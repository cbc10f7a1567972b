import { clickPartitions } from '@clicktally/database/click-partitions.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import { type ClickPage, type ClickQuery, type ClickRow, clickPage, hasClicks } from '../queries/click-page.ts'

/** Below the statement timeout. */
const longestSearchMs = 2_000
/** Rows of a query with conditions, which few rows may meet. */
const searchedRows = 2_000

/**
 * The newest clicks by id, and the bound below which the next page begins; null if there are no more.
 *
 * @param before the bound of the page
 * @param searchForMs milliseconds after which the page ends where it is, even if it is not full
 */
export async function newestClicks(
  db: Kysely<Tables>,
  query: ClickQuery,
  limit: number,
  before?: string,
  searchForMs = longestSearchMs,
): Promise<{ readonly rows: readonly ClickRow[]; readonly next: string | null }> {
  const startedAtMs = performance.now()
  const isLate = () => performance.now() - startedAtMs > searchForMs
  const rows: ClickRow[] = []
  const partitions = (await clickPartitions(db)).filter(({ fromId }) => before === undefined || fromId < before)
  for (let partition = partitions.pop(); partition !== undefined; partition = partitions.pop()) {
    const { fromId } = partition
    let toId: string | undefined = before !== undefined && before < partition.toId ? before : partition.toId
    if (!(await hasClicks(db, query.filter, { fromId, toId }))) toId = undefined
    while (toId !== undefined) {
      // One more shows whether there is a next page.
      const count = query.conditions === undefined ? limit + 1 - rows.length : searchedRows
      const page: ClickPage = await clickPage(db, query, { fromId, toId }, 'desc', count)
      rows.push(...page.rows)
      if (rows.length > limit) return { rows: rows.slice(0, limit), next: rows[limit - 1]?.id ?? null }
      toId = page.readThrough
      if (toId !== undefined && isLate()) return { rows, next: toId }
    }
    if (isLate() && partitions.length > 0) return { rows, next: fromId }
  }
  return { rows, next: null }
}
