import type { HttpApp } from '@clicktally/http/http-app.ts'
import { deadLetterOperations } from '@clicktally/operations/dead-letter-operations.ts'
import type { ApiContext } from '../api-context.ts'
import { deadLetters } from '../queries/dead-letters.ts'

/** GET /v1/dead-letters */
export function getDeadLetters(app: HttpApp, { access, cells }: ApiContext): void {
  const { method, url, schema } = deadLetterOperations.listDeadLetters
  app.options(url, access.preflight)
  app.route({
    method,
    url,
    onRequest: access.requires('audit'),
    schema: { querystring: schema.querystring },
    async handler(request, reply) {
      const { all = false, limit = 100, before, cell } = request.query
      reply.header('cache-control', 'no-store')
      return { letters: await deadLetters(cells.asked(cell).db, { all, limit, before }) }
    },
  })
}
