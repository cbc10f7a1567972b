import type { HttpApp } from '@clicktally/http/http-app.ts'
import { readOperations, type Top } from '@clicktally/operations/read-operations.ts'
import type { FastifyReply } from 'fastify'
import { projectOf } from '../access/reader-access.ts'
import type { ApiContext } from '../api-context.ts'
import { problem } from '../errors.ts'
import { counterState } from '../queries/counter-state.ts'
import { inSnapshot } from '../queries/snapshot.ts'
import { top, withComparison, withVisitors } from '../queries/top.ts'
import { latestEnd, readComparison } from '../request/comparison.ts'
import { readCountsFilter } from '../request/counts-filter.ts'
import { readCursor, writeCursor } from '../request/cursor.ts'
import { sendCounts } from '../response/caching.ts'
import { metaOf, rangeText } from '../response/meta.ts'
import { ask } from '../scan/ask.ts'
import { breakDown } from '../scan/breakdown.ts'
import { timeZoneOf } from '../time/time-zone.ts'

/** GET /v1/counts/top */
export function getTop(app: HttpApp, context: ApiContext): void {
  const { db, sketches, access } = context
  const { method, url, schema } = readOperations.getTop
  app.options(url, access.preflight)
  app.route({
    method,
    url,
    onRequest: access.requires('read'),
    schema: { querystring: schema.querystring },
    async handler(request, reply): Promise<Top | FastifyReply> {
      const { limit = 10, cursor, visitors = false } = request.query
      const zone = timeZoneOf(request.query.tz ?? 'UTC')
      const asked = readCountsFilter(request.query, projectOf(request), zone)
      const { filter, compared } = readComparison(request.query, asked, zone)
      const after = cursor === undefined ? undefined : readCursor(cursor)
      const { filter: conditions } = request.query
      if (conditions !== undefined) {
        if (compared !== undefined)
          throw problem('parameter_invalid', 'The top targets are compared without "filter" only.', 'filter')
        const question = { filter, conditions, dimension: 'target', visitors, zone }
        const answer = await ask(context, question, async (scan, { db: snapshot }) => {
          const { values, hasMore, other } = await breakDown(scan, snapshot, 'target', { limit, after, visitors })
          const last = values.at(-1)
          return {
            targets: values.map(({ value, ...count }) => ({ target: value, ...count })),
            nextCursor: hasMore && last !== undefined ? writeCursor(last) : null,
            ...(other.total + other.bots > 0 && { other }),
          }
        })
        return sendCounts(reply, answer, filter.toMs)
      }
      const answer = await inSnapshot(db, async (snapshot) => {
        const { asOf, rolledUpBefore } = await counterState(snapshot)
        // One extra row shows whether there is a next page.
        const found = await top(snapshot, filter, rolledUpBefore, limit + 1, after)
        const page = found.slice(0, limit)
        const last = page.at(-1)
        const counted = visitors ? await withVisitors(snapshot, filter, rolledUpBefore, page, sketches) : page
        const targets =
          compared === undefined ? counted : await withComparison(snapshot, compared, rolledUpBefore, counted)
        return {
          targets,
          nextCursor:
            found.length > limit && last !== undefined ? writeCursor({ total: last.total, value: last.target }) : null,
          ...(compared !== undefined && { comparison: rangeText(compared) }),
          meta: metaOf(asOf, 'counters', filter, zone.name),
        }
      })
      return sendCounts(reply, answer, latestEnd(filter, compared))
    },
  })
}
