import type { Meta } from '@clicktally/operations/read/read-schemas.ts'
import type { FastifyReply } from 'fastify'
import { withTrueAsOf } from './as-of-limit.ts'
import { entityTag, isKnown } from './entity-tag.ts'

/** After this time (the default of CLICK_WINDOW_HOURS) only a backfill adds clicks to a range. */
const closedAfterMs = 72 * 3_600_000

/**
 * How long an answer may be kept, in seconds: by the client for itself, and by nginx for the same credential. Other caches may not
 * keep it at all.
 *
 * nginx keeps answers much more briefly than clients may, because it would go on serving them to a key that was revoked. The api
 * refuses such a key after 5 s, or 45 s without the database: with these 10 s that is below the promised 60 s.
 */
const lifetimes = {
  open: { client: 1, nginx: 1 },
  closed: { client: 300, nginx: 10 },
} as const

export function setCaching(reply: FastifyReply, range: keyof typeof lifetimes = 'open'): void {
  const { client, nginx } = lifetimes[range]
  reply.header('cache-control', `private, max-age=${client}`).header('x-accel-expires', String(nginx))
}

/**
 * Sends counts so that they can be cached and revalidated: 304 if the client has the same counts, with whatever `asOf`. The header
 * `Clicktally-As-Of` tells the current `asOf` then.
 *
 * @param toMs the end of the range; undefined if it is open
 */
export function sendCounts<Answer extends { readonly meta: Meta }>(
  reply: FastifyReply,
  read: Answer,
  toMs: number | undefined,
): Answer | FastifyReply {
  const answer = withTrueAsOf(reply.request, read)
  const { asOf } = answer.meta
  const isCounted = toMs !== undefined && asOf !== null && toMs < Date.parse(asOf)
  setCaching(reply, isCounted && toMs < Date.now() - closedAfterMs ? 'closed' : 'open')
  const tag = entityTag(answer)
  reply.header('etag', tag)
  if (asOf !== null) reply.header('clicktally-as-of', asOf)
  return isKnown(tag, reply.request.headers['if-none-match']) ? reply.code(304).send() : answer
}
