import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type Answer, ask, describeAnswer, jsonObject, mayRetry, retryDelayMs } from './answer.ts'
import type { Click } from './click.ts'
import { batchClicks, type ClickBatch } from './click-batches.ts'
import { DemoError } from './demo-error.ts'

const gzipped = promisify(gzip)

/** Enough to keep ingest busy while answers travel, few enough that a retry storm stays small. */
const defaultInFlight = 4
const defaultPatienceMs = 120_000
/** nginx tries two ingests for up to 6 s, and ingest waits up to 4 s for the broker: no answer takes this long. */
const answerTimeoutMs = 15_000

export interface SenderOptions {
  /** Where the server is, as in `http://127.0.0.1:8080`. */
  url: string
  signal: AbortSignal
  /** Batches that are under way at once. */
  inFlight?: number
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
 * Sends all clicks, and each batch again, unchanged, until it is answered: with the same ids it counts once, whatever
 * became of the tries before.
 *
 * @throws {DemoError} where a batch is refused for good, or is not answered while the patience lasts
 * @throws the signal's reason when the signal is aborted
 */
export async function sendClicks(clicks: AsyncIterable<Click>, options: SenderOptions): Promise<Sending> {
  const startedAtMs = performance.now()
  const sending: Sending = { accepted: 0, rejected: new Map(), answers: new Map(), elapsedMs: 0, endedAtMs: 0 }
  const batches = batchClicks(clicks)
  const failure = new AbortController()
  const signal = AbortSignal.any([options.signal, failure.signal])
  let answered = 0

  const sendNext = async (): Promise<void> => {
    try {
      for (let next = await batches.next(); !next.done; next = await batches.next()) {
        await sendBatch(next.value, { ...options, signal }, sending)
        answered += next.value.count
        options.onAnswered?.(answered)
      }
    } catch (error) {
      // The first to fail stops the others; what they throw then is this same reason.
      failure.abort(error)
      throw error
    }
  }

  try {
    await Promise.allSettled(Array.from({ length: options.inFlight ?? defaultInFlight }, sendNext))
    signal.throwIfAborted()
  } finally {
    await batches.return(undefined)
  }
  sending.elapsedMs = performance.now() - startedAtMs
  return sending
}

async function sendBatch(batch: ClickBatch, options: SenderOptions, sending: Sending): Promise<void> {
  const deadlineMs = performance.now() + (options.patienceMs ?? defaultPatienceMs)
  const url = new URL('v1/events/batch', options.url)
  const request: RequestInit = {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' },
    body: await gzipped(batch.body, { level: 4 }),
  }
  for (let tries = 1; ; tries++) {
    const answer = await ask(url, request, options.signal, answerTimeoutMs)
    sending.answers.set(answer.outcome, (sending.answers.get(answer.outcome) ?? 0) + 1)
    if (answer.status === 202 || answer.status === 422) {
      addResults(answer, batch, sending)
      sending.endedAtMs = Math.max(sending.endedAtMs, answer.serverTimeMs)
      return
    }
    if (!mayRetry(answer)) throw new DemoError(`${url} refused a batch of clicks: ${describeAnswer(answer)}`)
    const delayMs = retryDelayMs(tries, answer)
    if (performance.now() + delayMs > deadlineMs) {
      const answers = describeAnswers(sending.answers)
      throw new DemoError(
        `${url} did not take a batch of clicks after ${tries} tries. Answers so far: ${answers}. ` +
          `The last: ${describeAnswer(answer)}`,
      )
    }
    await sleep(delayMs, undefined, { signal: options.signal })
  }
}

function addResults(answer: Answer, batch: ClickBatch, sending: Sending): void {
  const body = jsonObject(answer)
  const { accepted, rejected, results } = body ?? {}
  if (typeof accepted !== 'number' || typeof rejected !== 'number' || accepted + rejected !== batch.count) {
    throw new DemoError(`The answer does not fit a batch of ${batch.count} clicks: ${describeAnswer(answer)}`)
  }
  sending.accepted += accepted
  if (rejected === 0) return
  const lines = batch.body.split('\n')
  for (const result of Array.isArray(results) ? (results as Record<string, unknown>[]) : []) {
    if (result.status === 'accepted') continue
    const code = String(result.code)
    const seen = sending.rejected.get(code)
    if (seen) seen.count++
    else sending.rejected.set(code, { count: 1, example: lines[Number(result.index)] ?? '' })
  }
}

/** `202 ×20, 503 ×3, connection refused ×2` */
export function describeAnswers(answers: Map<string, number>): string {
  const sorted = [...answers].sort(([, a], [, b]) => b - a)
  return sorted.map(([outcome, count]) => `${outcome} ×${count.toLocaleString('en-US')}`).join(', ')
}
