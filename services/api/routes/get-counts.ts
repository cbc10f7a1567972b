import { type Counts, readOperations } from '@clicktally/contract/read-operations.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { ApiContext } from '../api-context.ts'
import { readCountsFilter } from '../counts-filter.ts'
import { metaOf } from '../meta.ts'
import { asOf } from '../queries/as-of.ts'
import { counts } from '../queries/counts.ts'

/** GET /v1/counts */
export function getCounts(app: HttpApp, { db, horizon, sketches }: ApiContext): void {
  const { method, url, schema } = readOperations.getCounts
  app.route({
    method,
    url,
    schema: { querystring: schema.querystring },
    async handler(request, reply): Promise<Counts> {
      const filter = readCountsFilter(request.query)
      // Before the counts, so that it never promises more than they hold.
      const freshness = await asOf(db)
      const answer = await counts(db, filter, await horizon.read(), sketches)
      reply.header('cache-control', 'public, max-age=1')
      return { ...answer, meta: metaOf(freshness, 'counters', filter) }
    },
  })
}
