import { setTimeout as sleep } from 'node:timers/promises'
import { ask, describeAnswer, jsonObject, mayRetry, retryDelayMs } from '@clicktally/client/answer.ts'
import { CliError } from '../cli-error.ts'

/** Long enough for a service that is just starting again, short enough for somebody who gave a wrong address. */
const patienceMs = 10_000
const answerTimeoutMs = 5_000

/**
 * Sees whether a Clicktally that takes old clicks answers there, by sending none.
 * @throws {CliError} where not
 */
export async function contact(endpoint: URL, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + patienceMs
  const request = { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: '\n' }
  for (let tries = 1; ; tries++) {
    const answer = await ask(endpoint, request, signal, answerTimeoutMs)
    if (answer.status === 422 && jsonObject(answer)?.code === 'batch_empty') return
    const delayMs = retryDelayMs(tries, answer)
    if (!mayRetry(answer) || performance.now() + delayMs > deadlineMs) {
      const what = mayRetry(answer) ? 'does not answer' : 'does not answer as Clicktally'
      throw new CliError(`${endpoint} ${what}: ${describeAnswer(answer)}. Is Clicktally running there?`)
    }
    await sleep(delayMs, undefined, { signal })
  }
}
