import type { HttpApp } from '@clicktally/http/http-app.ts'
import { readOperations, type Top } from '@clicktally/operations/read-operations.ts'
import type { FastifyReply } from 'fastify'
import { cellOf, projectOf } from '../access/reader-access.ts'
import type { ApiContext } from '../api-context.ts'
import { counterState } from '../queries/counter-state.ts'
import { inSnapshot } from '../queries/snapshot.ts'
import { type TargetCount, top, withComparison, withVisitors } from '../queries/top.ts'
import { latestEnd, readComparison } from '../request/comparison.ts'
import { type CountsFilter, readCountsFilter } from '../request/counts-filter.ts'
import { readCursor, writeCursor } from '../request/cursor.ts'
import { sendCounts } from '../response/caching.ts'
import { metaOf, rangeText, withMissingOf } from '../response/meta.ts'
import { ask } from '../scan/ask.ts'
import { breakDown, type Page } from '../scan/breakdown.ts'
import { timeZoneOf } from '../time/time-zone.ts'

/** GET /v1/counts/top */
export function getTop(app: HttpApp, context: ApiContext): void {
  const { access } = context
  const { method, url, schema } = readOperations.getTop
  app.options(url, access.preflight)
  app.route({
    method,
    url,
    onRequest: access.requires('read'),
    schema: { querystring: schema.querystring },
    async handler(request, reply): Promise<Top | FastifyReply> {
      const { limit = 10, cursor, visitors = false } = request.query
      const cell = cellOf(request)
      const zone = timeZoneOf(request.query.tz ?? 'UTC')
      const asked = readCountsFilter(request.query, projectOf(request), zone)
      const { filter, compared } = readComparison(request.query, asked, zone)
      const after = cursor === undefined ? undefined : readCursor(cursor)
      const { filter: conditions } = request.query
      if (conditions !== undefined) return sendCounts(reply, await scanClicks(conditions), latestEnd(filter, compared))
      const answer = await inSnapshot(cell.db, async (snapshot) => {
        const { asOf, rolledUpBefore } = await counterState(snapshot)
        // One extra row shows whether there is a next page.
        const found = await top(snapshot, filter, rolledUpBefore, limit + 1, after)
        const page = found.slice(0, limit)
        const last = page.at(-1)
        const counted = visitors ? await withVisitors(snapshot, filter, rolledUpBefore, page, cell.sketches) : page
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

      async function scanClicks(conditions: readonly string[]): Promise<Top> {
        const scan = (filter: CountsFilter, page: Page) =>
          ask(
            context,
            cell,
            { filter, conditions, dimension: 'target', visitors: page.visitors, zone },
            (scan, { db }) => breakDown(scan, db, 'target', page),
          )
        const { meta, values, hasMore, other } = await scan(filter, { limit, after, visitors })
        const last = values.at(-1)
        const targets = values.map(({ value, ...count }) => ({ target: value, ...count }))
        const before =
          compared === undefined || targets.length === 0 ? undefined : await comparedWith(compared, targets)
        return {
          targets:
            before === undefined ? targets : targets.map((target) => ({ ...target, comparison: before.of(target) })),
          nextCursor: hasMore && last !== undefined ? writeCursor(last) : null,
          ...(other.total + other.bots > 0 && { other }),
          ...(compared !== undefined && { comparison: rangeText(compared) }),
          meta: before === undefined ? meta : withMissingOf(meta, before.meta),
        }

        /** The comparison is read later, so it is at least as fresh. */
        async function comparedWith(range: CountsFilter, page: readonly TargetCount[]) {
          const ofPage = { ...range, targets: page.map(({ target }) => target), targetPrefix: undefined }
          const { meta, values } = await scan(ofPage, { limit: page.length, after: undefined, visitors: false })
          const countOf = new Map(values.map(({ value, total, bots }) => [value, { total, bots }]))
          return { meta, of: ({ target }: TargetCount) => countOf.get(target) ?? { total: 0, bots: 0 } }
        }
      }
    },
  })
}
