import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { ClickList } from '@clicktally/operations/read/click-operations.ts'
import { readOperations } from '@clicktally/operations/read-operations.ts'
import { cellOf, personalCredential, projectOf } from '../access/reader-access.ts'
import type { ApiContext } from '../api-context.ts'
import { clickConditions } from '../clicks/click-conditions.ts'
import { propertyValue, shownProperties } from '../clicks/click-record.ts'
import { newestClicks } from '../clicks/newest-clicks.ts'
import { problem } from '../errors.ts'
import { asOf } from '../queries/as-of.ts'
import { inSnapshot } from '../queries/snapshot.ts'
import { readCountsFilter } from '../request/counts-filter.ts'
import { withTrueAsOf } from '../response/as-of-limit.ts'
import { metaOf } from '../response/meta.ts'
import { timeZoneOf } from '../time/time-zone.ts'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** GET /v1/events */
export function listClicks(app: HttpApp, { access }: ApiContext): void {
  const { method, url, schema } = readOperations.listClicks
  app.options(url, access.preflight)
  app.route({
    method,
    url,
    onRequest: access.requires('read'),
    schema: { querystring: schema.querystring },
    async handler(request, reply): Promise<ClickList> {
      const { limit = 100, cursor, personal = false, tz = 'UTC', filter: texts = [] } = request.query
      const zone = timeZoneOf(tz)
      const filter = readCountsFilter(request.query, projectOf(request), zone)
      const credential = personal ? personalCredential(request) : undefined
      if (cursor !== undefined && !uuid.test(cursor))
        throw problem('cursor_invalid', '"cursor" must be the unchanged "nextCursor" of the previous page.', 'cursor')
      const properties = shownProperties(personal)
      reply.header('cache-control', 'no-store')
      const list = await inSnapshot(cellOf(request).db, async (snapshot) => {
        const meta = metaOf(await asOf(snapshot), 'clicks', filter, zone.name)
        const conditions = await clickConditions(snapshot, filter.projectId, texts)
        const { rows, next } = await newestClicks(snapshot, { filter, conditions, credential }, limit, cursor)
        const clicks = rows.map((row) => ({
          id: row.id,
          ...Object.fromEntries(properties.map((property) => [property.name, propertyValue(property, row)])),
        }))
        return { clicks, nextCursor: next, meta }
      })
      return withTrueAsOf(request, list)
    },
  })
}
