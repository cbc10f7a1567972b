import { partitionIds } from '@clicktally/database/partition-ids.ts'
import { storedFields } from '@clicktally/event/event-fields.ts'
import type { PoolClient } from 'pg'

/** With the largest clicks, 32 KiB each, a page takes 128 MB; usually about one. */
const pageRows = 4_000

/** The visitor comes before all that clients may choose freely: erasures.ts relies on it. */
const columns = ['id', 'project_id', 'received_at', 'counted_at', ...storedFields.map(({ column }) => column).slice(1)]

export interface ClickLines {
  /** A JSON object each: the columns of the table as PostgreSQL writes them, so that none loses precision. */
  readonly lines: readonly string[]
  readonly firstId: string
  readonly lastId: string
  readonly firstOccurredAt: Date
  readonly lastOccurredAt: Date
}

/**
 * The clicks of a project in a partition in the order of their ids, in pages. No transaction is open in between, so vacuum is not
 * held back.
 *
 * @param client with UTC as its time zone
 */
export async function* clickLines(
  client: PoolClient,
  projectId: number,
  partition: string,
  signal: AbortSignal,
): AsyncGenerator<ClickLines> {
  const { fromId, toId } = partitionIds(partition)
  for (let after = fromId; ; ) {
    signal.throwIfAborted()
    const { rows } = await client.query<{ id: string; occurred_at: Date; line: string }>(
      `select id, occurred_at, row_to_json(click)::text as line
       from (
         select ${columns.join(', ')} from clicks
         where project_id = $1 and id > $2 and id < $3 order by id limit ${pageRows}
       ) as click
       order by id`,
      [projectId, after, toId],
    )
    const [first] = rows
    const last = rows.at(-1)
    if (first === undefined || last === undefined) return
    const times = rows.map((row) => row.occurred_at.getTime())
    yield {
      lines: rows.map(({ line }) => line),
      firstId: first.id,
      lastId: last.id,
      firstOccurredAt: new Date(Math.min(...times)),
      lastOccurredAt: new Date(Math.max(...times)),
    }
    if (rows.length < pageRows) return
    after = last.id
  }
}
