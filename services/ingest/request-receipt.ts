import { defaultProjectId } from '@clicktally/contract/click.ts'
import type { Receipt } from '@clicktally/contract/click-check.ts'
import { clickLimits } from '@clicktally/contract/click-event.ts'
import { derivedUuidV7 } from '@clicktally/contract/uuid-v7.ts'
import type { FastifyRequest } from 'fastify'
import { problem } from './errors.ts'

/**
 * What is known of a request that brings events, and how to make the ids of those that came without one.
 *
 * A made id is derived from nginx's request id, nginx's time of the request's start and the event's place in the request.
 * All three are the same on every try: when nginx sends a request to a second ingest because the first died, both make
 * the same ids and the click is counted once. This service's own clock must not decide: a slow body may take minutes, and
 * two ingests' clocks may differ. So nginx's start is used as long as an id of that time is within the contract's window;
 * if it is not, an event without an id is refused, since no id could be made that a second try would make again.
 *
 * In a backfill the click's own time stands in for the request's start, so that the click goes into its day's partition;
 * a time after the start does not, as ids of the future would be refused.
 *
 * @param windowMs how old a click may be, in milliseconds; undefined for a backfill
 */
export function receiptOf(request: FastifyRequest, windowMs: number | undefined): Receipt {
  const receivedAtMs = Date.now()
  // Without the header it came past nginx, and there is no second try.
  const startMs = requestStartMs(request) ?? receivedAtMs
  const oldestMs = windowMs === undefined ? clickLimits.oldestMs : receivedAtMs - windowMs
  const isInWindow = startMs >= oldestMs && startMs <= receivedAtMs + clickLimits.idAheadMs
  return {
    projectId: defaultProjectId,
    requestId: request.id,
    receivedAtMs,
    startedAtMs: isInWindow ? startMs : receivedAtMs,
    windowMs,
    makeId(occurredAtMs, place) {
      if (!isInWindow) throw clocksDiffer(startMs, receivedAtMs)
      return derivedUuidV7(windowMs === undefined ? Math.min(occurredAtMs, startMs) : startMs, `${request.id}:${place}`)
    },
  }
}

/** Nginx's `X-Request-Start: t=1700000000.123`, in milliseconds since 1970; undefined without one. */
function requestStartMs(request: FastifyRequest): number | undefined {
  const header = request.headers['x-request-start']
  const match = typeof header === 'string' ? /^t=(\d{1,11}\.\d{3})$/.exec(header) : null
  return match === null ? undefined : Math.round(Number(match[1]) * 1000)
}

function clocksDiffer(startMs: number, receivedAtMs: number): Error {
  const start = new Date(startMs).toISOString()
  return problem(
    'clocks_differ',
    `nginx says that the request began at ${start}, ingest's clock says it is ${new Date(receivedAtMs).toISOString()}. ` +
      'No id can be made that would be the same on a retry. Set the clocks, or send events with ids of your own.',
  )
}
