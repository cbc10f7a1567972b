import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { clickColumns } from '@clicktally/database/click-columns.ts'
import { eventFields } from '@clicktally/event/event-fields.ts'
import { BinaryCopy } from '@clicktally/processor/rows/binary-copy.ts'
import { RowWriter } from '@clicktally/processor/rows/row-writer.ts'
import { type ClickRange, makeClicks } from '@clicktally/synthetic-clicks/click-messages.ts'
import type { Client } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'

// The upper bound for storing: one COPY of all rows into the table `clicks`, from bytes in memory, in one transaction over
// one connection. It counts nothing, looks up no id and acknowledges nothing.

export interface CopyResult {
  /** From before the first byte to the commit; excludes making the rows. */
  readonly seconds: number
  /** CPU time of this process in that time. */
  readonly ownCpuSeconds: number
}

const timeoutMs = 120_000
/** Larger CopyData messages gain nothing. */
const chunkBytes = 256 * 1024
/** Length of the protocol message headers that BinaryCopy puts before and after the data. */
const framingBytes = 5

export async function copyClicks(client: Client, range: ClickRange): Promise<CopyResult> {
  const rows = new BinaryCopy()
  const writer = new RowWriter(eventFields)
  rows.begin()
  for (const click of makeClicks(range)) writer.writeClick(click, rows)
  rows.end()
  const bytes = rows.content.subarray(framingBytes, -framingBytes)
  await client.query(`set statement_timeout = ${timeoutMs}`)
  const cpuBefore = process.cpuUsage()
  const startedAtMs = performance.now()
  const columns = clickColumns().map(({ name }) => name)
  const copy = client.query(copyFrom(`copy clicks (${columns.join(', ')}) from stdin (format binary)`))
  await pipeline(Readable.from(chunksOf(bytes), { objectMode: false }), copy)
  const seconds = (performance.now() - startedAtMs) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  return { seconds, ownCpuSeconds: (user + system) / 1e6 }
}

function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += chunkBytes) yield bytes.subarray(start, start + chunkBytes)
}
