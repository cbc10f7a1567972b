import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Click } from '@clicktally/contract/click.ts'
import { clicksMessageType, decodeMessage } from '@clicktally/contract/clicks-message.ts'
import type { QueueMessage } from './queue-messages.ts'

/** The columns of `clicks` that a processor fills; the rest has its default. */
export const copyColumns =
  'id, project_id, occurred_at, received_at, bot, target, visitor_id, url, referrer, props' as const

const columnCount = 10
/** PostgreSQL counts microseconds from 2000. */
const postgresEpochMs = Date.UTC(2000, 0, 1)
/** https://www.postgresql.org/docs/current/sql-copy.html: the signature, no flags, no extension. */
const header = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
const trailer = Buffer.from([0xff, 0xff])

/** Writes the clicks of messages to a file in the form that `COPY … FROM STDIN (FORMAT BINARY)` takes. */
export async function writeCopyFile(path: string, messages: Iterable<QueueMessage>): Promise<void> {
  await pipeline(Readable.from(chunksOf(messages), { objectMode: false }), createWriteStream(path))
}

function* chunksOf(messages: Iterable<QueueMessage>): Generator<Buffer> {
  yield header
  for (const { content } of messages) yield Buffer.concat(decodeMessage(clicksMessageType, content).clicks.map(copyRow))
  yield trailer
}

/** One row: how many fields, then each with its length in front. */
export function copyRow(click: Click): Buffer {
  const { id, projectId, occurredAtMs, receivedAtMs, bot, target, visitorId, url, referrer, props } = click
  const fields = [
    Buffer.from(id.replaceAll('-', ''), 'hex'),
    int4(projectId),
    timestamp(occurredAtMs),
    timestamp(receivedAtMs),
    Buffer.from([bot === true ? 1 : 0]),
    Buffer.from(target),
    text(visitorId),
    text(url),
    text(referrer),
    // The 1 is the version of jsonb's binary form, which is its text.
    props === undefined ? undefined : Buffer.concat([Buffer.from([1]), Buffer.from(JSON.stringify(props))]),
  ]
  const parts: Buffer[] = [int2(columnCount)]
  for (const field of fields) {
    // A length of -1 is a null.
    parts.push(int4(field?.length ?? -1))
    if (field !== undefined) parts.push(field)
  }
  return Buffer.concat(parts)
}

function text(value: string | undefined): Buffer | undefined {
  return value === undefined ? undefined : Buffer.from(value)
}

function timestamp(timeMs: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(Math.round((timeMs - postgresEpochMs) * 1_000)))
  return bytes
}

function int2(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int4(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
