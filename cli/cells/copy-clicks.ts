import { setTimeout as sleep } from 'node:timers/promises'
import { asOfQuery } from '@clicktally/database/freshness.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Click } from '@clicktally/event/click.ts'
import { clicksMessageType, encodeClick, maxClicksPerMessage } from '@clicktally/message/clicks-message.ts'
import { type Kysely, sql } from 'kysely'
import { CliError } from '../cli-error.ts'
import type { LetterPublisher } from '../letters/letter-publisher.ts'
import { clickIds, missingIds, readClicks } from './moved-clicks.ts'

/** Less than the 128 KiB that a message may have. */
const maxMessageBytes = 120 * 1024
/** Messages that wait for their confirm together. */
const messagesInFlight = 32
/** How long the target may take to count what was copied to it, without any progress. */
const countingPatienceMs = 120_000

export interface CopyOptions {
  readonly from: Kysely<Tables>
  readonly to: Kysely<Tables>
  /** To the queue of the target. */
  readonly publisher: Pick<LetterPublisher, 'publish' | 'report'>
  readonly projectId: number
  readonly onProgress?: (compared: number, copied: number) => void
}

export interface Copied {
  /** Clicks that the source has. */
  readonly compared: number
  /** Those that the target did not have, which were sent to it. */
  readonly copied: number
  /** When the newest click of the source was received, milliseconds since 1970; 0 without any. */
  readonly receivedThroughMs: number
}

/**
 * Sends the clicks of a project that the target does not have to the target's queue, and waits until they are counted. Its processors count
 * them like any others, each id once: it does no harm to copy a click twice, or while it arrives there by itself.
 *
 * @throws {CliError} if the target does not count them; the database error
 */
export async function copyClicks({ from, to, publisher, projectId, onProgress }: CopyOptions): Promise<Copied> {
  let [compared, copied, receivedThroughMs] = [0, 0, 0]
  for await (const page of clickIds(from, projectId)) {
    const missing = await missingIds(to, projectId, page.ids)
    for await (const clicks of readClicks(from, projectId, missing)) await send(publisher, clicks)
    compared += page.ids.length
    copied += missing.length
    receivedThroughMs = Math.max(receivedThroughMs, page.receivedThroughMs)
    onProgress?.(compared, copied)
  }
  if (copied > 0) {
    await publisher.report()
    await untilCountedThrough(to, Date.now())
  }
  return { compared, copied, receivedThroughMs }
}

/** The time before which everything accepted is counted; -Infinity if it is unknown. Milliseconds since 1970. */
export async function countedThroughMs(db: Kysely<Tables>): Promise<number> {
  const { rows } = await sql<{ as_of: Date | null }>`${sql.raw(asOfQuery)}`.execute(db)
  return rows[0]?.as_of?.getTime() ?? -Infinity
}

/** @throws {CliError} if that makes no progress for two minutes */
export async function untilCountedThrough(db: Kysely<Tables>, timeMs: number): Promise<void> {
  let throughMs = -Infinity
  let movedAtMs = performance.now()
  for (;;) {
    const nowMs = await countedThroughMs(db)
    if (nowMs > timeMs) return
    if (nowMs > throughMs) movedAtMs = performance.now()
    throughMs = Math.max(throughMs, nowMs)
    if (performance.now() - movedAtMs > countingPatienceMs) {
      throw new CliError('The cell counts nothing: does a processor run there? Run the command again, it goes on.')
    }
    await sleep(200)
  }
}

async function send(publisher: CopyOptions['publisher'], clicks: readonly Click[]): Promise<void> {
  const messages = messagesOf(clicks)
  for (let from = 0; from < messages.length; from += messagesInFlight) {
    await Promise.all(messages.slice(from, from + messagesInFlight).map((message) => publisher.publish(message)))
  }
}

/** The largest click has 34 KiB, so each message has at least one. */
function messagesOf(clicks: readonly Click[]) {
  const messages: { type: string; content: Buffer; clicks: number }[] = []
  let lines: string[] = []
  let bytes = 0
  const close = () => {
    if (lines.length > 0)
      messages.push({ type: clicksMessageType, content: Buffer.from(lines.join('\n')), clicks: lines.length })
    lines = []
    bytes = 0
  }
  for (const click of clicks) {
    const line = encodeClick(click)
    const lineBytes = Buffer.byteLength(line) + 1
    if (lines.length === maxClicksPerMessage || bytes + lineBytes > maxMessageBytes) close()
    lines.push(line)
    bytes += lineBytes
  }
  close()
  return messages
}
