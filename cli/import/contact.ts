import { setTimeout as sleep } from 'node:timers/promises'
import { ask, describeAnswer, jsonObject, mayRetry, retryDelayMs } from '@clicktally/requests/answer.ts'
import { CliError } from '../cli-error.ts'

/** Long enough for a service that is restarting, short enough for a person who gave a wrong address. */
const patienceMs = 10_000
const answerTimeoutMs = 5_000

/**
 * Checks with an empty batch that Clicktally answers there and accepts old clicks.
 *
 * @throws {CliError} if not
 */
export async function contact(endpoint: URL, key: string, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + patienceMs
  const request = {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' },
    body: '\n',
  }
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
