import type { HttpApp } from '@clicktally/http/http-app.ts'
import { toServiceProblem } from '@clicktally/http/service-problem.ts'
import { writeOperations } from '@clicktally/operations/write-operations.ts'
import type { FastifyRequest } from 'fastify'
import { keyInQuery, refuseSecretInUrl } from '../access/sender-access.ts'
import type { IngestContext } from '../ingest-context.ts'
import { acceptClick } from './click-acceptance.ts'

/** A transparent GIF of one pixel. */
const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')

const propPrefix = 'props.'

/** The event that the parameters of the query describe. */
function eventOf(query: Record<string, unknown>): Record<string, unknown> {
  const { key: _key, ...fields } = query
  const props = Object.entries(fields).filter(([name]) => name.startsWith(propPrefix))
  return {
    ...Object.fromEntries(Object.entries(fields).filter(([name]) => !name.startsWith(propPrefix))),
    ...(props.length > 0 && {
      props: Object.fromEntries(props.map(([name, value]) => [name.slice(propPrefix.length), value])),
    }),
  }
}

/** The origin of the page that shows an image: browsers send no Origin with a request for an image, but mostly a Referer. */
function originOfPage({ headers }: FastifyRequest): string | undefined {
  return headers.origin ?? (headers.referer === undefined ? undefined : URL.parse(headers.referer)?.origin)
}

/**
 * GET /v1/p.gif: one click, for e-mails and for pages without scripts. The answer is always the image, so that no page shows a broken
 * one; the headers Clicktally-Outcome and Clicktally-Id tell what became of the click. The image is sent after the confirm.
 */
export function getPixel(app: HttpApp, context: IngestContext): void {
  const { method, url } = writeOperations.getPixel
  app.route<{ Querystring: Record<string, unknown> }>({
    method,
    url,
    // A HEAD request fetches no image.
    exposeHeadRoute: false,
    async handler(request, reply) {
      reply.type('image/gif').header('cache-control', 'no-store')
      try {
        // As in nginx, which limits one of them: the key in the header, if there is one.
        const text = request.headers.authorization === undefined ? keyInQuery(request.url) : undefined
        const origin = originOfPage(request)
        const key = context.access.authorize(request, reply, 'send', { ...(text !== undefined && { text }), origin })
        if (text !== undefined) refuseSecretInUrl(key)
        const id = await acceptClick(context, request, key, eventOf(request.query))
        reply.header('clicktally-outcome', 'accepted').header('clicktally-id', id)
      } catch (error) {
        const { problem, retryAfterSeconds } = toServiceProblem(error)
        reply.header('clicktally-outcome', problem.code)
        if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
      }
      return gif
    },
  })
}
