import { type Counts, readOperations } from '@clicktally/contract/read-operations.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { ApiContext } from '../api-context.ts'
import { readCountsFilter } from '../counts-filter.ts'
import { metaOf } from '../meta.ts'
import { asOf } from '../queries/as-of.ts'
import { counts } from '../queries/counts.ts'
import { rollupHorizon } from '../queries/rollup-horizon.ts'
import { inSnapshot } from '../snapshot.ts'

/** GET /v1/counts */
export function getCounts(app: HttpApp, { db, sketches }: ApiContext): void {
  const { method, url, schema } = readOperations.getCounts
  app.route({
    method,
    url,
    schema: { querystring: schema.querystring },
    async handler(request, reply): Promise<Counts> {
      const filter = readCountsFilter(request.query)
      const answer = await inSnapshot(db, async (snapshot) => {
        const freshness = await asOf(snapshot)
        const counted = await counts(snapshot, filter, await rollupHorizon(snapshot), sketches)
        return { ...counted, meta: metaOf(freshness, 'counters', filter) }
      })
      reply.header('cache-control', 'public, max-age=1')
      return answer
    },
  })
}
