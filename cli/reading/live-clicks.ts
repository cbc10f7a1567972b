import { setTimeout as sleep } from 'node:timers/promises'
import type { LiveGap, SeenClick } from '@clicktally/operations/live-operations.ts'
import { refusal } from '../api/refusal.ts'
import { CliError } from '../cli-error.ts'
import type { HttpAccess } from '../system/http-access.ts'
import { streamEvents } from './event-stream.ts'

/** What a viewer is sent, beside heartbeats. */
export type LiveEvent =
  | { readonly kind: 'click'; readonly click: SeenClick }
  | { readonly kind: 'gap'; readonly gap: LiveGap }
  /** From now on clicks arrive; the first event of each connection. */
  | { readonly kind: 'connected' }
  | { readonly kind: 'interrupted'; readonly reason: string }

/** The server sends a heartbeat every 10 s. */
const silenceMs = 30_000
const maxDelayMs = 10_000

/**
 * Clicks as they are counted. Reconnects and goes on where the connection broke, until the signal is aborted.
 *
 * @throws {CliError} if the server refuses
 */
export async function* liveClicks(
  { baseUrl, key }: HttpAccess,
  query: Record<string, string | undefined>,
  signal: AbortSignal,
): AsyncGenerator<LiveEvent> {
  const url = new URL('v1/live', baseUrl)
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value)
  let lastId: string | undefined
  let failures = 0
  while (!signal.aborted) {
    const silence = new AbortController()
    const timer = setTimeout(() => silence.abort(), silenceMs)
    try {
      const headers = { authorization: `Bearer ${key}`, ...(lastId !== undefined && { 'last-event-id': lastId }) }
      const response = await fetch(url, { headers, signal: AbortSignal.any([signal, silence.signal]) })
      const { status, body } = response
      if (status !== 200 || body === null) {
        const text = await response.text()
        if (status < 500 && status !== 429) {
          throw refusal('GET', url, { outcome: String(status), status, body: text, serverTimeMs: 0, retryAfterMs: 0 })
        }
        throw new Error(`the answer is ${status}`)
      }
      let isConnected = false
      for await (const { event, id, data } of streamEvents(body)) {
        timer.refresh()
        failures = 0
        lastId = id ?? lastId
        if (event === 'click') yield { kind: 'click', click: JSON.parse(data) }
        else if (event === 'gap') yield { kind: 'gap', gap: JSON.parse(data) }
        else if (!isConnected) yield { kind: 'connected' }
        isConnected = true
      }
      throw new Error('the server has ended the stream')
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof CliError) throw error
      yield { kind: 'interrupted', reason: silence.signal.aborted ? 'no heartbeat' : describe(error) }
    } finally {
      clearTimeout(timer)
    }
    failures += 1
    await sleep(Math.min(maxDelayMs, 500 * 2 ** failures), undefined, { signal }).catch(() => {})
  }
}

function describe(error: unknown): string {
  // fetch() wraps the cause in "TypeError: fetch failed".
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message : String(cause)
}
