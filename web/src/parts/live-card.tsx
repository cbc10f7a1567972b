import type { SeenClick } from '@clicktally/operations/live-operations.ts'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { readsClicks } from '../filters/filters.ts'
import { formatDuration } from '../format.ts'
import { watchClicks } from '../http/live.ts'
import { refreshCounts } from '../http/polling.ts'
import { liveUrl } from '../state/counts-query.ts'
import { now } from '../state/now.ts'

const shownClicks = 10

function ageOf(moment: string): string {
  const ms = now.value.getTime() - Date.parse(moment)
  return ms < 1_000 ? 'now' : `${formatDuration(ms)} ago`
}

/** The latest clicks, as they are counted. */
export function LiveCard() {
  const clicks = useSignal<readonly SeenClick[]>([])
  const isConnected = useSignal(false)
  const url = liveUrl()
  useEffect(() => {
    const abort = new AbortController()
    clicks.value = []
    void watchClicks(
      url,
      {
        onClick: (click) => {
          clicks.value = [click, ...clicks.value].slice(0, shownClicks)
          refreshCounts()
        },
        onState: (state) => {
          isConnected.value = state
        },
      },
      abort.signal,
    )
    return () => abort.abort()
  }, [url, clicks, isConnected])
  return (
    <section class="card" aria-label="Live">
      <header>
        <h2>Live</h2>
        <span class="live-state" data-connected={isConnected.value}>
          <span class="pulse" aria-hidden="true" key={clicks.value[0]?.id} />
          {isConnected.value ? 'as they are counted' : 'not connected'}
        </span>
      </header>
      {readsClicks.value && (
        <p class="live-note muted">All clicks, or those of the target: other filters do not apply here.</p>
      )}
      {clicks.value.length === 0 ? (
        <p class="nothing">{isConnected.value ? 'Waiting for the next click.' : 'Clicks are counted all the same.'}</p>
      ) : (
        <ol class="live">
          {clicks.value.map(({ id, target, occurredAt, bot }) => (
            <li key={id}>
              <span class="cut">
                {target}
                {bot && <span class="muted"> by a bot</span>}
              </span>
              <time class="muted count" dateTime={occurredAt} title={id}>
                {ageOf(occurredAt)}
              </time>
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}
