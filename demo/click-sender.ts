import { sendBatches } from '@clicktally/client/batch-sender.ts'
import { batchClicks } from '@clicktally/client/click-batches.ts'
import type { Click } from './click.ts'

export interface SendingOptions {
  /** Where the server is, as in `http://127.0.0.1:8080`. */
  url: string
  signal: AbortSignal
  /** How long one batch is tried. */
  patienceMs?: number
  /** Called after each batch with the clicks answered so far. */
  onAnswered?: (clicks: number) => void
}

/** What became of the clicks of one sending. */
export interface Sending {
  accepted: number
  /** By the code that the server gave, with one example each. */
  rejected: Map<string, { count: number; example: string }>
  /** How often each answer came, those before a retry included. */
  answers: Map<string, number>
  elapsedMs: number
  /** A moment by the server's clock, not before its last answer was made, in milliseconds since 1970. */
  endedAtMs: number
}

/**
 * Sends all clicks, and each batch again, unchanged, until it is answered.
 *
 * @throws {ClientError} where a batch is refused for good, or is not answered while the patience lasts
 * @throws the signal's reason when the signal is aborted
 */
export async function sendClicks(clicks: AsyncIterable<Click>, options: SendingOptions): Promise<Sending> {
  const startedAtMs = performance.now()
  const sending: Sending = { accepted: 0, rejected: new Map(), answers: new Map(), elapsedMs: 0, endedAtMs: 0 }
  let answered = 0
  const batches = sendBatches(batchClicks(clicks), {
    endpoint: new URL('v1/events/batch', options.url),
    signal: options.signal,
    patienceMs: options.patienceMs,
    onAnswer: ({ outcome }) => sending.answers.set(outcome, (sending.answers.get(outcome) ?? 0) + 1),
  })
  for await (const { batch, accepted, rejected, answeredAtMs } of batches) {
    sending.accepted += accepted
    sending.endedAtMs = Math.max(sending.endedAtMs, answeredAtMs)
    if (rejected.length > 0) {
      const lines = batch.body.split('\n')
      for (const { index, code } of rejected) {
        const seen = sending.rejected.get(code)
        if (seen) seen.count++
        else sending.rejected.set(code, { count: 1, example: lines[index] ?? '' })
      }
    }
    answered += batch.count
    options.onAnswered?.(answered)
  }
  sending.elapsedMs = performance.now() - startedAtMs
  return sending
}
