import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type Answer, ask, describeAnswer, jsonObject, mayRetry, retryDelayMs } from './answer.ts'
import type { ClickBatch } from './click-batches.ts'
import { RequestError } from './request-error.ts'

const gzipped = promisify(gzip)

/** Enough to keep ingest busy, few enough to limit retry storms. */
const defaultInFlight = 4
const defaultPatienceMs = 120_000
/** nginx tries two ingests for up to 6 s, and ingest waits up to 4 s for the broker: no response takes this long. */
const answerTimeoutMs = 15_000

export interface SenderOptions {
  /** Such as `http://127.0.0.1:8080/v1/events/batch`. */
  endpoint: URL
  /** A key that may send there. */
  key: string
  signal: AbortSignal
  /** Maximum number of batches in flight, including answered ones that wait for an earlier batch. */
  inFlight?: number | undefined
  /** How long a batch is retried. */
  patienceMs?: number | undefined
  /** Called with each response, including those before a retry. */
  onAnswer?: (answer: Answer) => void
}

export interface AnsweredBatch<Batch> {
  readonly batch: Batch
  readonly accepted: number
  readonly rejected: readonly RejectedClick[]
  /** Time of the response by the server's clock, rounded up, in milliseconds since 1970. */
  readonly answeredAtMs: number
}

export interface RejectedClick {
  /** Index in the batch, from 0. */
  readonly index: number
  readonly code: string
  readonly detail: string
}

/**
 * Sends batches concurrently, and retries each one unchanged until it gets a response. Since the ids stay the same, retries are
 * counted once. Yields the responses in the order of the batches. Skips empty batches.
 *
 * @throws {RequestError} if a batch is rejected, or gets no response within `patienceMs`
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
        // The first failure stops the others. Their errors are replaced by its reason below.
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
    stop.abort(new Error('the consumer has stopped'))
    await Promise.allSettled(underWay)
    await source.return?.()
  }
}

async function sendBatch<Batch extends ClickBatch>(
  batch: Batch,
  { endpoint, key, signal, patienceMs = defaultPatienceMs, onAnswer }: SenderOptions,
): Promise<AnsweredBatch<Batch>> {
  if (batch.count === 0) return { batch, accepted: 0, rejected: [], answeredAtMs: 0 }
  const deadlineMs = performance.now() + patienceMs
  const answers = new Map<string, number>()
  const request: RequestInit = {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      ...{ 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' },
    },
    body: await gzipped(batch.body, { level: 4 }),
  }
  for (let tries = 1; ; tries++) {
    const answer = await ask(endpoint, request, signal, answerTimeoutMs)
    answers.set(answer.outcome, (answers.get(answer.outcome) ?? 0) + 1)
    onAnswer?.(answer)
    if (answer.status === 202 || answer.status === 422) return resultsOf(batch, answer)
    if (!mayRetry(answer)) throw new RequestError(`${endpoint} refused a batch of clicks: ${describeAnswer(answer)}`)
    const delayMs = retryDelayMs(tries, answer)
    if (performance.now() + delayMs > deadlineMs) {
      throw new RequestError(
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
    throw new RequestError(`The answer does not fit a batch of ${batch.count} clicks: ${describeAnswer(answer)}`)
  }
  const refusals = (Array.isArray(results) ? (results as Record<string, unknown>[]) : [])
    .filter(({ status }) => status === 'rejected')
    .map(({ index, code, detail }) => ({ index: Number(index), code: String(code), detail: String(detail ?? '') }))
  if (refusals.length !== rejected) {
    throw new RequestError(
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
