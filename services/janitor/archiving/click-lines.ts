import { CopyOut } from '@clicktally/database/copy-out.ts'
import { partitionIds } from '@clicktally/database/partition-ids.ts'
import { storedFields } from '@clicktally/event/event-fields.ts'
import type { PoolClient } from 'pg'

/** With the largest clicks, 32 KiB each, a page takes 64 MB; usually about 1 MB. There are two at a time. */
const pageRows = 2_000

/** The visitor comes before all that clients may choose freely: erasures.ts relies on it. */
const columns = ['id', 'project_id', 'received_at', 'counted_at', ...storedFields.map(({ column }) => column).slice(1)]

export interface ClickLines {
  /** A line for each click: a JSON object with the columns of the table as PostgreSQL writes them, so that none loses precision. */
  readonly page: Buffer
  readonly firstId: string
  readonly lastId: string
}

/**
 * The clicks of a project in a partition in the order of their ids, in pages. No transaction is open in between, so vacuum is not
 * held back. PostgreSQL makes a page while the caller works with the one before.
 *
 * @param client with UTC as its time zone; it does nothing else until the end
 */
export async function* clickLines(
  client: PoolClient,
  projectId: number,
  partition: string,
  signal: AbortSignal,
): AsyncGenerator<ClickLines> {
  const { fromId, toId } = partitionIds(partition)
  const linesAfter = (id: string) => readLines(client, projectId, id, toId)
  let next = linesAfter(fromId)
  for (let lines = await next; lines !== undefined; lines = await next) {
    signal.throwIfAborted()
    next = linesAfter(lines.lastId)
    // If the caller stops, nobody awaits it.
    next.catch(() => {})
    yield lines
  }
}

/** PostgreSQL joins the lines, and they stay bytes: as rows, or as text, they would take as long again as making them. */
async function readLines(
  client: PoolClient,
  projectId: number,
  afterId: string,
  toId: string,
): Promise<ClickLines | undefined> {
  let page = Buffer.alloc(0)
  const copy = new CopyOut(
    `copy (
       select string_agg(line, '' order by id)
       from (
         select id, row_to_json(click) || e'\\n' as line
         from (
           select ${columns.join(', ')} from clicks
           where project_id = ${projectId} and id > '${afterId}' and id < '${toId}' order by id limit ${pageRows}
         ) as click
       ) as written
       having count(*) > 0
     ) to stdout (format binary)`,
    (bytes, at) => {
      const from = at + 4
      page = Buffer.from(bytes.subarray(from, from + bytes.readInt32BE(at)))
    },
  )
  client.query(copy)
  await copy.done
  if (page.length === 0) return undefined
  const first = page.subarray(0, page.indexOf('\n'))
  const last = page.subarray(page.lastIndexOf('\n', -2) + 1)
  return { page, firstId: idOf(first), lastId: idOf(last) }
}

function idOf(line: Buffer): string {
  return (JSON.parse(line.toString()) as { id: string }).id
}
