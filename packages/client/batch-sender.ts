import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type Answer, ask, describeAnswer, jsonObject, mayRetry, retryDelayMs } from './answer.ts'
import type { ClickBatch } from './click-batches.ts'
import { ClientError } from './client-error.ts'

const gzipped = promisify(gzip)

/** Enough to keep ingest busy while answers travel, few enough that a retry storm stays small. */
const defaultInFlight = 4
const defaultPatienceMs = 120_000
/** nginx tries two ingests for up to 6 s, and ingest waits up to 4 s for the broker: no answer takes this long. */
const answerTimeoutMs = 15_000

export interface SenderOptions {
  /** Where the batches go, as in `http://127.0.0.1:8080/v1/events/batch`. */
  endpoint: URL
  signal: AbortSignal
  /** Batches that are under way, or wait for the answer to one before them. */
  inFlight?: number | undefined
  /** How long one batch is tried. */
  patienceMs?: number | undefined
  /** Called with each answer, those before a retry included. */
  onAnswer?: (answer: Answer) => void
}

export interface AnsweredBatch<Batch> {
  readonly batch: Batch
  readonly accepted: number
  readonly rejected: readonly RejectedClick[]
  /** A moment by the server's clock, not before its answer was made, in milliseconds since 1970. */
  readonly answeredAtMs: number
}

export interface RejectedClick {
  /** Its place in the batch, from 0. */
  readonly index: number
  readonly code: string
  readonly detail: string
}

/**
 * Sends all batches, some at once, and each again, unchanged, until it is answered: with the same ids it counts once,
 * whatever became of the tries before. Gives the answers in the order of the batches. A batch without a click is not sent.
 *
 * @throws {ClientError} where a batch is refused for good, or is not answered while the patience lasts
 * @throws the signal's reason when the signal is aborted
 */
export async function* sendBatches<Batch extends ClickBatch>(
  batches: AsyncIterable<Batch>,
  options: SenderOptions,
): AsyncGenerator<AnsweredBatch<Batch>> {
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const underWay: Promise<AnsweredBatch<Batch>>[] = []
  const source = batches[Symbol.asyncIterator]()
  try {
    for (let exhausted = false; ; ) {
      while (!exhausted && underWay.length < (options.inFlight ?? defaultInFlight)) {
        const next = await source.next()
        signal.throwIfAborted()
        if (next.done) exhausted = true
        else underWay.push(sendBatch(next.value, { ...options, signal }))
        // The first to fail stops the others; what they throw then is replaced by its reason, below.
        underWay.at(-1)?.catch((error: unknown) => stop.abort(error))
      }
      const first = underWay.shift()
      if (first === undefined) return
      yield await first
    }
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    stop.abort(new Error('nobody waits for the answers any more'))
    await Promise.allSettled(underWay)
    await source.return?.()
  }
}

async function sendBatch<Batch extends ClickBatch>(
  batch: Batch,
  { endpoint, signal, patienceMs = defaultPatienceMs, onAnswer }: SenderOptions,
): Promise<AnsweredBatch<Batch>> {
  if (batch.count === 0) return { batch, accepted: 0, rejected: [], answeredAtMs: 0 }
  const deadlineMs = performance.now() + patienceMs
  const answers = new Map<string, number>()
  const request: RequestInit = {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' },
    body: await gzipped(batch.body, { level: 4 }),
  }
  for (let tries = 1; ; tries++) {
    const answer = await ask(endpoint, request, signal, answerTimeoutMs)
    answers.set(answer.outcome, (answers.get(answer.outcome) ?? 0) + 1)
    onAnswer?.(answer)
    if (answer.status === 202 || answer.status === 422) return resultsOf(batch, answer)
    if (!mayRetry(answer)) throw new ClientError(`${endpoint} refused a batch of clicks: ${describeAnswer(answer)}`)
    const delayMs = retryDelayMs(tries, answer)
    if (performance.now() + delayMs > deadlineMs) {
      throw new ClientError(
        `${endpoint} did not take a batch of clicks after ${tries} tries. Answers so far: ${describeAnswers(answers)}. ` +
          `The last: ${describeAnswer(answer)}`,
      )
    }
    await sleep(delayMs, undefined, { signal })
  }
}

function resultsOf<Batch extends ClickBatch>(batch: Batch, answer: Answer): AnsweredBatch<Batch> {
  const { accepted, rejected, results } = jsonObject(answer) ?? {}
  if (typeof accepted !== 'number' || typeof rejected !== 'number' || accepted + rejected !== batch.count) {
    throw new ClientError(`The answer does not fit a batch of ${batch.count} clicks: ${describeAnswer(answer)}`)
  }
  const refusals = (Array.isArray(results) ? (results as Record<string, unknown>[]) : [])
    .filter(({ status }) => status === 'rejected')
    .map(({ index, code, detail }) => ({ index: Number(index), code: String(code), detail: String(detail ?? '') }))
  if (refusals.length !== rejected) {
    throw new ClientError(
      `The answer says that ${rejected} clicks are rejected, but not which: ${answer.body.slice(0, 200)}`,
    )
  }
  return { batch, accepted, rejected: refusals, answeredAtMs: answer.serverTimeMs }
}

/** `202 ×20, 503 ×3, connection refused ×2` */
export function describeAnswers(answers: Map<string, number>): string {
  const sorted = [...answers].sort(([, a], [, b]) => b - a)
  return sorted.map(([outcome, count]) => `${outcome} ×${count.toLocaleString('en-US')}`).join(', ')
}
