import { createHash } from 'node:crypto'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { type PublicCount, publicOperations } from '@clicktally/operations/public-operations.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiContext } from '../api-context.ts'
import { badgeSvg } from '../badge/badge.ts'
import { problem } from '../errors.ts'
import { counterState } from '../queries/counter-state.ts'
import { publicCounter } from '../queries/public-counter.ts'
import { inSnapshot } from '../queries/snapshot.ts'
import { total } from '../queries/total.ts'

const dayMs = 86_400_000
/** In nginx and in browsers. A page with a badge that a million people open is one query in ten seconds. */
const cacheSeconds = 10

/** GET /c/{slug}.json and /c/{slug}.svg: need no key. */
export function getPublicCounter(app: HttpApp, context: ApiContext): void {
  const { getPublicCount, getBadge } = publicOperations
  app.route({
    method: getPublicCount.method,
    url: getPublicCount.url,
    schema: { params: getPublicCount.schema.params, querystring: getPublicCount.schema.querystring },
    async handler(request, reply) {
      const count = await readCount(context, request.params.slug)
      return send(request, reply, 'application/json; charset=utf-8', JSON.stringify(count))
    },
  })
  app.route({
    method: getBadge.method,
    url: getBadge.url,
    schema: { params: getBadge.schema.params, querystring: getBadge.schema.querystring },
    async handler(request, reply) {
      const count = await readCount(context, request.params.slug)
      const { label = count.label, color = 'blue', labelColor = 'grey' } = request.query
      const message = count.total.toLocaleString('en')
      return send(request, reply, 'image/svg+xml; charset=utf-8', badgeSvg({ label, message, color, labelColor }))
    },
  })
}

/** @throws {ServiceProblem} public_counter_not_found: the same for every name that is not public */
async function readCount({ cells, access }: ApiContext, slug: string): Promise<PublicCount> {
  const counter = await publicCounter(cells.home.db, slug)
  if (counter === undefined) throw problem('public_counter_not_found', 'There is no such public counter.')
  const { project_id: projectId, target, days, label } = counter
  const { cell } = await access.readingOf(projectId)
  return await inSnapshot(cell.db, async (snapshot) => {
    const midnightMs = Math.floor(Date.now() / dayMs) * dayMs
    const filter = {
      projectId,
      targets: target === null ? undefined : [target],
      fromMs: days === null ? undefined : midnightMs - (days - 1) * dayMs,
      toMs: undefined,
    }
    return { total: await total(snapshot, filter, (await counterState(snapshot)).rolledUpBefore), label, days }
  })
}

function send(request: FastifyRequest, reply: FastifyReply, type: string, body: string): FastifyReply {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  reply
    .header('access-control-allow-origin', '*')
    .header('cache-control', `public, max-age=${cacheSeconds}`)
    .header('x-accel-expires', cacheSeconds)
    .header('etag', etag)
  // nginx makes it weak when it compresses.
  const isKnown = request.headers['if-none-match']?.split(',').some((each) => each.trim().replace(/^W\//, '') === etag)
  return isKnown ? reply.code(304).send() : reply.type(type).send(body)
}
