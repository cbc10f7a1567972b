import type { HttpApp } from '@clicktally/http/http-app.ts'
import { type Breakdown, readOperations } from '@clicktally/operations/read-operations.ts'
import type { FastifyReply } from 'fastify'
import { cellOf, projectOf } from '../access/reader-access.ts'
import type { ApiContext } from '../api-context.ts'
import { readCountsFilter } from '../request/counts-filter.ts'
import { readCursor, writeCursor } from '../request/cursor.ts'
import { sendCounts } from '../response/caching.ts'
import { ask } from '../scan/ask.ts'
import { breakDown } from '../scan/breakdown.ts'
import { timeZoneOf } from '../time/time-zone.ts'

/** GET /v1/counts/by/:dimension */
export function getBreakdown(app: HttpApp, context: ApiContext): void {
  const { method, url, schema } = readOperations.getBreakdown
  app.options(url, context.access.preflight)
  app.route({
    method,
    url,
    onRequest: context.access.requires('read'),
    schema: { params: schema.params, querystring: schema.querystring },
    async handler(request, reply): Promise<Breakdown | FastifyReply> {
      const { limit = 10, cursor, visitors = false, filter: conditions = [] } = request.query
      const { dimension } = request.params
      const zone = timeZoneOf(request.query.tz ?? 'UTC')
      const filter = readCountsFilter(request.query, projectOf(request), zone)
      const after = cursor === undefined ? undefined : readCursor(cursor)
      const answer = await ask(
        context,
        cellOf(request),
        { filter, conditions, dimension, visitors, zone },
        async (scan, { db }) => {
          const { values, sum, other, hasMore } = await breakDown(scan, db, dimension, { limit, after, visitors })
          const last = values.at(-1)
          return {
            dimension,
            ...sum,
            values: values.map((count) => ({ ...count, share: sum.total === 0 ? 0 : count.total / sum.total })),
            other,
            nextCursor: hasMore && last !== undefined ? writeCursor(last) : null,
          }
        },
      )
      return sendCounts(reply, answer, filter.toMs)
    },
  })
}
