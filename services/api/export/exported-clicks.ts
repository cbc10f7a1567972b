import { clickPartitions } from '@clicktally/database/click-partitions.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import { type ClickQuery, type ClickRow, clickPage, hasClicks } from '../queries/click-page.ts'

/** Rows of a query. With the largest clicks, 32 KiB each, they take 64 MB; usually less than one. */
const pageRows = 2_000

/**
 * All clicks of the query in the order of their ids, in pages.
 *
 * No transaction is open while the client receives a page, however slowly, so an export holds back
 * neither vacuum nor other queries. Clicks are only ever added, so every click that was counted before the export is in it.
 *
 * @param after a click: only those behind it
 */
export async function* exportedClicks(
  db: Kysely<Tables>,
  query: ClickQuery,
  after = '',
): AsyncGenerator<readonly ClickRow[]> {
  for (const { fromId, toId } of await clickPartitions(db)) {
    let range = { fromId: after > fromId ? after : fromId, toId }
    if (range.fromId >= toId || !(await hasClicks(db, query.filter, range))) continue
    for (;;) {
      const { rows, readThrough } = await clickPage(db, query, range, 'asc', pageRows)
      if (rows.length > 0) yield rows
      if (readThrough === undefined) break
      range = { fromId: readThrough, toId }
    }
  }
}
