import type { Receipt } from '@clicktally/event/click-check.ts'
import { clickLimits } from '@clicktally/event/click-event.ts'
import type { SnapshotKey } from '@clicktally/keys/key-snapshot.ts'
import { derivedUuidV7 } from '@clicktally/message/derived-uuid-v7.ts'
import type { FastifyRequest } from 'fastify'
import { problem } from '../errors.ts'
import type { IngestContext } from '../ingest-context.ts'

/**
 * Creates the receipt of a request: its id and times, and the generator of ids for events without one.
 *
 * A generated id is derived from nginx's request id, nginx's start time of the request, and the event's place in the request.
 * They are the same on every try: when an ingest crashes and nginx retries at another one, both generate the same ids, and the
 * click is counted once. This service's own clock must not be used: a slow body may take minutes, and the clocks of two
 * ingests may differ. If nginx's start time is outside the accepted window, events without an id are refused, because an id
 * from another time would change on a retry.
 *
 * In a backfill the click's own time replaces the start time, so that the click is stored in the partition of its day, unless
 * it is later than the start: ids in the future would be refused.
 *
 * @param key that the request was sent with
 * @param windowMs how old a click may be, in milliseconds; undefined for a backfill
 */
export function receiptOf(
  request: FastifyRequest,
  key: SnapshotKey,
  windowMs: number | undefined,
  { visitors, attributes }: Pick<IngestContext, 'visitors' | 'attributes'>,
): Receipt {
  const receivedAtMs = Date.now()
  // Without the header the request did not pass through nginx, which would retry it.
  const startMs = requestStartMs(request) ?? receivedAtMs
  const oldestMs = windowMs === undefined ? clickLimits.oldestMs : receivedAtMs - windowMs
  const isInWindow = startMs >= oldestMs && startMs <= receivedAtMs + clickLimits.idAheadMs
  const startedAtMs = isInWindow ? startMs : receivedAtMs
  return {
    projectId: key.projectId,
    requestId: request.id,
    receivedAtMs,
    startedAtMs,
    windowMs,
    ...attributes.of(key, request.headers),
    deriveVisitor: visitors.derivationFor(key, request.headers, startedAtMs),
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
    `The request started at ${start} by the clock of nginx, but arrived at ${new Date(receivedAtMs).toISOString()} by the clock of ingest. ` +
      'Ids generated now would change on a retry. Synchronize the clocks, or send events that have an id.',
  )
}
