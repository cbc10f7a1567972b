import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

const pollEveryMs = 5
const givenUpAfterMs = 20_000
const minuteMs = 60_000
const dayMs = 86_400_000

/**
 * Sends clicks at a constant rate, each with its own target, and polls the count of each target until it includes the click.
 *
 * @param url of nginx
 * @returns milliseconds from a click's scheduled time to the end of the first response that counts it
 * @throws when a click is not accepted, or is not counted within 20 s
 */
export async function probeVisibility(
  url: string,
  key: string,
  clicksPerSecond: number,
  durationMs: number,
  signal: AbortSignal,
): Promise<number[]> {
  const startedAtMs = performance.now()
  const probe = async (_: unknown, index: number) => {
    const scheduledAtMs = startedAtMs + (index * 1_000) / clicksPerSecond
    await sleep(Math.max(0, scheduledAtMs - performance.now()), undefined, { signal })
    return await untilVisible(url, key, scheduledAtMs, signal)
  }
  return await Promise.all(Array.from({ length: Math.round((clicksPerSecond * durationMs) / 1_000) }, probe))
}

async function untilVisible(url: string, key: string, sinceMs: number, signal: AbortSignal): Promise<number> {
  const target = `probe-${randomUUID()}`
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ target })
  const sent = await fetch(`${url}/v1/events`, { method: 'POST', headers, body, signal })
  await sent.arrayBuffer()
  if (sent.status !== 202) throw new Error(`a probe was answered ${sent.status}`)
  const yesterdayMs = Date.now() - dayMs
  for (let polls = 0; ; polls += 1) {
    const polledAtMs = performance.now()
    // A different URL each time, so that no cache responds.
    const from = new Date(yesterdayMs - polls * minuteMs).toISOString()
    const response = await fetch(`${url}/v1/counts?target=${target}&from=${from}`, { headers, signal })
    const { total } = (await response.json()) as { total?: number }
    const nowMs = performance.now()
    if (total === 1) return nowMs - sinceMs
    if (nowMs - sinceMs > givenUpAfterMs) throw new Error('an accepted click was not counted within 20 s')
    await sleep(Math.max(0, polledAtMs + pollEveryMs - nowMs), undefined, { signal })
  }
}
