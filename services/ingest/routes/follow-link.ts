import type { IncomingHttpHeaders } from 'node:http'
import { maxCharsOf } from '@clicktally/event/event-fields.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { toServiceProblem } from '@clicktally/http/service-problem.ts'
import type { SnapshotKey, SnapshotLink } from '@clicktally/keys/key-snapshot.ts'
import { followOperations } from '@clicktally/operations/follow-operations.ts'
import type { FastifyRequest } from 'fastify'
import { readUserAgent } from '../attributes/user-agents.ts'
import { problem } from '../errors.ts'
import type { IngestContext } from '../ingest-context.ts'
import { acceptClick } from './click-acceptance.ts'

/** Milliseconds for which a visitor waits for the broker's confirm, which usually takes a few. */
const patienceMs = 500

/**
 * GET /l/:slug: counts a click and redirects to the URL of the link. A visitor is never kept from going on: without a broker the
 * redirect comes at once, and the click is not counted. Only URLs that an owner has entered are led to.
 */
export function followLink(app: HttpApp, context: IngestContext): void {
  const { url } = followOperations.followLink
  app.route<{ Params: { slug: string } }>({
    // Programs that check or preview a link send HEAD.
    method: ['GET', 'HEAD'],
    url,
    exposeHeadRoute: false,
    async handler(request, reply) {
      reply.header('cache-control', 'no-store').header('x-robots-tag', 'noindex')
      const link = context.access.linkNamed(request.params.slug)
      if (isAhead(request.headers)) {
        throw problem('fetched_ahead', 'A link is not fetched ahead of a click, which would count without one.')
      }
      if (request.method === 'GET') {
        const outcome = await count(context, request, link)
        context.metrics.followed(outcome === 'accepted' || outcome === 'not_confirmed' ? outcome : 'lost')
        reply.header('clicktally-outcome', outcome)
      }
      return reply.redirect(link.url, 302)
    },
  })
}

/** @returns what became of the click; `not_confirmed` if the broker is slow: it may be counted later. Never throws. */
async function count(context: IngestContext, request: FastifyRequest, link: SnapshotLink): Promise<string> {
  const counting = acceptClick(context, request, keyOf(link), eventOf(request, link)).then(
    () => 'accepted',
    (error) => toServiceProblem(error).problem.code,
  )
  const { promise: late, resolve } = Promise.withResolvers<string>()
  const timer = setTimeout(resolve, patienceMs, 'not_confirmed')
  try {
    return await Promise.race([counting, late])
  } finally {
    clearTimeout(timer)
  }
}

/** As if a page of the project had sent the click: the visitor is derived, and the country is that of the address. */
function keyOf({ projectId }: SnapshotLink): SnapshotKey {
  return { id: 'link', hash: '', role: 'write', projectId, origins: [] }
}

function eventOf(request: FastifyRequest, { target }: SnapshotLink): Record<string, unknown> {
  const { headers } = request
  const agent = readUserAgent(headers['user-agent'])
  return {
    target,
    url: pageOf(request),
    ...(headers.referer !== undefined &&
      headers.referer.length <= maxCharsOf('referrer') && { referrer: headers.referer }),
    // Only browsers follow links for people. What a browser sends to say so is missing with old ones, so it is left out of account.
    bot: agent === undefined || agent.isBot,
  }
}

/** The URL of the link itself, whose query may name a campaign: /l/spring?utm_source=newsletter. */
function pageOf({ url, headers }: FastifyRequest): string {
  const page = `${headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'}://${headers.host ?? 'localhost'}${url}`
  return page.length <= maxCharsOf('url') ? page : (page.split('?', 1)[0] as string)
}

/** Whether a browser fetches the page before anyone has clicked, to be quick or to show a preview. */
function isAhead(headers: IncomingHttpHeaders): boolean {
  return ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'].some((name) =>
    /prefetch|prerender|preview/i.test(String(headers[name] ?? '')),
  )
}
