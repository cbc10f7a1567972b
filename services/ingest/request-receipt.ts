import { defaultProjectId } from '@clicktally/contract/click.ts'
import type { Receipt } from '@clicktally/contract/click-check.ts'
import { derivedUuidV7 } from '@clicktally/contract/uuid-v7.ts'
import type { FastifyRequest } from 'fastify'

/** The clocks of nginx and of this service may differ by this much before nginx's is not believed. */
const maxClockDifferenceMs = 60_000

/**
 * What is known of a request that brings events, and how to make the ids of those that came without one.
 *
 * A made id is derived from nginx's request id, the request's start and the event's place in it, so that when nginx sends
 * a request to a second ingest because the first died in the middle, both make the same ids and the click is counted once.
 * In a backfill the click's own time stands in for the request's start, so that the click falls into its day's partition;
 * a time after the start does not, as the ids of clicks of the future would be refused.
 *
 * @param windowMs undefined for a backfill
 */
export function receiptOf(request: FastifyRequest, windowMs: number | undefined): Receipt {
  const receivedAtMs = Date.now()
  const startMs = requestStartMs(request, receivedAtMs)
  return {
    projectId: defaultProjectId,
    requestId: request.id,
    receivedAtMs,
    windowMs,
    makeId: (occurredAtMs, place) =>
      derivedUuidV7(windowMs === undefined ? Math.min(occurredAtMs, startMs) : startMs, `${request.id}:${place}`),
  }
}

/** `X-Request-Start: t=1700000000.123`, seconds, as nginx sets it. */
function requestStartMs(request: FastifyRequest, receivedAtMs: number): number {
  const header = request.headers['x-request-start']
  const match = typeof header === 'string' ? /^t=(\d{1,11}\.\d{3})$/.exec(header) : null
  const startMs = match === null ? receivedAtMs : Math.round(Number(match[1]) * 1000)
  return Math.abs(startMs - receivedAtMs) <= maxClockDifferenceMs ? startMs : receivedAtMs
}
