import type { HttpApp } from '@clicktally/http/http-app.ts'
import { type Counts, readOperations } from '@clicktally/operations/read-operations.ts'
import type { FastifyReply } from 'fastify'
import { cellOf, projectOf } from '../access/reader-access.ts'
import type { ApiContext } from '../api-context.ts'
import { latestEnd, readComparison } from '../request/comparison.ts'
import { type CountsFilter, readCountsFilter } from '../request/counts-filter.ts'
import { sendCounts } from '../response/caching.ts'
import { metaOf, rangeText, withMissingOf } from '../response/meta.ts'
import { SharedAnswers } from '../response/shared-answers.ts'
import { ask } from '../scan/ask.ts'
import { type BucketCount, countByBucket } from '../scan/bucket-counts.ts'
import { timeZoneOf } from '../time/time-zone.ts'

/** GET /v1/counts */
export function getCounts(app: HttpApp, context: ApiContext): void {
  const { access } = context
  const shared = new SharedAnswers<Counts>()
  const { method, url, schema } = readOperations.getCounts
  app.options(url, access.preflight)
  app.route({
    method,
    url,
    onRequest: access.requires('read'),
    schema: { querystring: schema.querystring },
    async handler(request, reply): Promise<Counts | FastifyReply> {
      const cell = cellOf(request)
      const { counts } = cell
      const zone = timeZoneOf(request.query.tz ?? 'UTC')
      const asked = readCountsFilter(request.query, projectOf(request), zone)
      const { filter, compared } = readComparison(request.query, asked, zone)
      const { filter: conditions } = request.query
      const question = JSON.stringify([cell.name, filter, compared, conditions, zone.name])
      const answer = await shared.answer(question, () =>
        conditions === undefined ? readCounters() : scanClicks(conditions),
      )
      return sendCounts(reply, answer, latestEnd(filter, compared))

      async function readCounters(): Promise<Counts> {
        if (compared === undefined) {
          const { asOf, ...count } = await counts.read(filter)
          return { ...count, meta: metaOf(asOf, 'counters', filter, zone.name) }
        }
        const [{ asOf, ...count }, { asOf: _, ...comparison }] = await counts.readBoth(filter, compared)
        return {
          ...count,
          comparison: { ...rangeText(compared), ...comparison },
          meta: metaOf(asOf, 'counters', filter, zone.name),
        }
      }

      /** The comparison is read later, so it is at least as fresh. */
      async function scanClicks(conditions: readonly string[]): Promise<Counts> {
        const scan = (filter: CountsFilter) =>
          ask(context, cell, { filter, conditions, visitors: true, zone }, async (scan) => {
            const [all] = await countByBucket(scan, [-Infinity, Infinity], true)
            return { visitors: 0, ...(all as BucketCount) }
          })
        const { meta, ...count } = await scan(filter)
        if (compared === undefined) return { ...count, meta }
        const { meta: metaBefore, ...comparison } = await scan(compared)
        return {
          ...count,
          comparison: { ...rangeText(compared), ...comparison },
          meta: withMissingOf(meta, metaBefore),
        }
      }
    },
  })
}
