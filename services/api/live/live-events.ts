import type { LiveClick } from '@clicktally/message/live-message.ts'
import type { LiveGap, LiveHeartbeat, SeenClick } from '@clicktally/operations/live-operations.ts'
import { type LivePosition, type LiveSlice, positionText } from './live-history.ts'

/** Which clicks a viewer sees. */
export interface LiveFilter {
  readonly projectId: number
  readonly targets: readonly string[] | undefined
  readonly targetPrefix?: string | undefined
}

/**
 * The events of the clicks that pass the filter, as text/event-stream; empty if there are none.
 *
 * @param maxClicks of clicks above this number only their count is sent, in a gap
 */
export function eventsOf(slices: Iterable<LiveSlice>, filter: LiveFilter, maxClicks: number): string {
  let events = ''
  let sent = 0
  let [total, bots] = [0, 0]
  let end: LivePosition | undefined
  for (const { entry, from, hasGap } of slices) {
    const { offset, sentAtMs, clicks } = entry
    if (hasGap) events += gapEvent({ reason: 'missed' }, { offset, sentAtMs, clicks: 0 })
    for (let index = from; index < clicks.length; index += 1) {
      const click = clicks[index] as LiveClick
      if (!passes(click, filter)) continue
      const after = { offset, sentAtMs, clicks: index + 1 }
      if (sent < maxClicks) {
        sent += 1
        events += clickEvent(click, after)
      } else {
        if (click.bot) bots += 1
        else total += 1
        end = after
      }
    }
  }
  return end === undefined ? events : events + gapEvent({ reason: 'rate', total, bots }, end)
}

/** @param end the position up to which everything was sent */
export function heartbeatEvent(heartbeat: LiveHeartbeat, end: LivePosition | undefined): string {
  return eventText('heartbeat', heartbeat, end)
}

export function gapEvent(gap: LiveGap, end: LivePosition | undefined): string {
  return eventText('gap', gap, end)
}

function clickEvent({ id, target, occurredAtMs, bot }: LiveClick, position: LivePosition): string {
  return eventText('click', { id, target, occurredAt: new Date(occurredAtMs).toISOString(), bot }, position)
}

/** JSON has no line breaks, so the data is one line. */
function eventText(
  event: string,
  data: SeenClick | LiveGap | LiveHeartbeat,
  position: LivePosition | undefined,
): string {
  const id = position === undefined ? '' : `id: ${positionText(position)}\n`
  return `event: ${event}\n${id}data: ${JSON.stringify(data)}\n\n`
}

function passes({ projectId, target }: LiveClick, filter: LiveFilter): boolean {
  return (
    projectId === filter.projectId &&
    (filter.targets === undefined || filter.targets.includes(target)) &&
    (filter.targetPrefix === undefined || target.startsWith(filter.targetPrefix))
  )
}
