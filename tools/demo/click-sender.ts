import { sendBatches } from '@clicktally/requests/batch-sender.ts'
import { batchClicks } from '@clicktally/requests/click-batches.ts'
import type { Click } from './click.ts'

export interface SendingOptions {
  /** Base URL of the server, such as `http://127.0.0.1:8080/`. */
  url: string
  key: string
  signal: AbortSignal
  /** How long one batch is retried. */
  patienceMs?: number
  /** Called after each batch with the number of clicks responded to so far. */
  onAnswered?: (clicks: number) => void
}

/** The outcome of sending all clicks once. */
export interface Sending {
  accepted: number
  /** By the server's error code, each with one example. */
  rejected: Map<string, { count: number; example: string }>
  /** Number of responses by outcome, including those that were retried. */
  answers: Map<string, number>
  elapsedMs: number
  /** By the server's clock, no earlier than its last response; milliseconds since 1970. */
  endedAtMs: number
}

/**
 * Sends all clicks in batches. Retries a batch unchanged until it gets a response.
 *
 * @throws {RequestError} when a batch is rejected, or gets no response within `patienceMs`
 * @throws the signal's reason when the signal is aborted
 */
export async function sendClicks(clicks: AsyncIterable<Click>, options: SendingOptions): Promise<Sending> {
  const startedAtMs = performance.now()
  const sending: Sending = { accepted: 0, rejected: new Map(), answers: new Map(), elapsedMs: 0, endedAtMs: 0 }
  let answered = 0
  const batches = sendBatches(batchClicks(clicks), {
    endpoint: new URL('v1/events/batch', options.url),
    key: options.key,
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
