import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

/** What became of some clicks that were sent to be looked for. */
export interface Visibility {
  /** From the moment for which a click was planned to the end of the first answer that counts it; in the order of sending. */
  readonly latenciesMs: readonly number[]
  /** Clicks that were sent: all were accepted. */
  readonly clicks: number
}

const askEveryMs = 5
const givenUpAfterMs = 20_000
const minuteMs = 60_000
const dayMs = 86_400_000

/**
 * Sends clicks at a constant rate, each on a target of its own, and asks for the count of each until it is there. Each
 * question has a URL of its own, so that no cache answers it.
 *
 * @param url of nginx
 * @throws when a click is not accepted, or is not to be seen for 20 s
 */
export async function probeVisibility(
  url: string,
  clicksPerSecond: number,
  durationMs: number,
  signal: AbortSignal,
): Promise<Visibility> {
  const count = Math.round((clicksPerSecond * durationMs) / 1_000)
  const startedAtMs = performance.now()
  const probe = async (_: unknown, index: number) => {
    const plannedAtMs = startedAtMs + (index * 1_000) / clicksPerSecond
    await sleep(Math.max(0, plannedAtMs - performance.now()), undefined, { signal })
    return await untilVisible(url, plannedAtMs, signal)
  }
  return { latenciesMs: await Promise.all(Array.from({ length: count }, probe)), clicks: count }
}

async function untilVisible(url: string, sinceMs: number, signal: AbortSignal): Promise<number> {
  const target = `probe-${randomUUID()}`
  const sent = await fetch(`${url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ target }),
    signal,
  })
  await sent.arrayBuffer()
  if (sent.status !== 202) throw new Error(`a click that was to be looked for was answered ${sent.status}`)
  const yesterdayMs = Date.now() - dayMs
  for (let asked = 0; ; asked += 1) {
    const askedAtMs = performance.now()
    const from = new Date(yesterdayMs - asked * minuteMs).toISOString()
    const answer = await fetch(`${url}/v1/counts?target=${target}&from=${from}`, { signal })
    const { total } = (await answer.json()) as { total?: number }
    const nowMs = performance.now()
    if (total === 1) return nowMs - sinceMs
    if (nowMs - sinceMs > givenUpAfterMs) throw new Error('a click was accepted and is not to be seen after 20 s')
    await sleep(Math.max(0, askedAtMs + askEveryMs - nowMs), undefined, { signal })
  }
}
