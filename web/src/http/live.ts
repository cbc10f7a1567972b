import type { SeenClick } from '@clicktally/operations/live-operations.ts'
import { bearerHeader } from './request.ts'

export interface LiveListener {
  onClick(click: SeenClick): void
  /** Whether clicks arrive now. While they do not, they are counted all the same. */
  onState(isConnected: boolean): void
}

const firstPauseMs = 2_000
const longestPauseMs = 60_000
/** The server sends a heartbeat each 10 s. */
const silenceMs = 25_000

/**
 * Watches clicks as they are counted, until the signal is aborted. A lost connection is made again, from where it ended. By fetch
 * and not EventSource, which cannot send the key of a shared link.
 */
export async function watchClicks(url: string, listener: LiveListener, signal: AbortSignal): Promise<void> {
  let lastEventId: string | undefined
  let pauseMs = firstPauseMs
  while (!signal.aborted) {
    const silence = new AbortController()
    let timer = setTimeout(() => silence.abort(), silenceMs)
    try {
      const response = await fetch(url, {
        headers: { ...bearerHeader(), ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) },
        signal: AbortSignal.any([signal, silence.signal]),
      })
      if (!response.ok || response.body === null) throw new Error(`status ${response.status}`)
      for await (const { id, event, data } of eventsOf(response.body)) {
        clearTimeout(timer)
        timer = setTimeout(() => silence.abort(), silenceMs)
        lastEventId = id ?? lastEventId
        pauseMs = firstPauseMs
        if (event === 'click') listener.onClick(JSON.parse(data))
        if (event === 'heartbeat') listener.onState(JSON.parse(data).connected)
      }
    } catch {
      // The connection could not be made, or broke. It is made again below.
    } finally {
      clearTimeout(timer)
    }
    if (signal.aborted) return
    listener.onState(false)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
    pauseMs = Math.min(pauseMs * 2, longestPauseMs)
  }
}

interface ServerEvent {
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

/** Server-sent events. Each ends with an empty line, and its fields begin with a name and a colon. */
async function* eventsOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<ServerEvent> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      text += value
      const events = text.split('\n\n')
      text = events.pop() ?? ''
      for (const event of events) {
        const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(event)?.[1]
        yield { id: field('id'), event: field('event') ?? 'message', data: field('data') ?? '' }
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}
