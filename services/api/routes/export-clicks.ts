import { isUuidV7 } from '@clicktally/event/uuid-v7.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { ClickProperty, ExportFormatName } from '@clicktally/operations/read/click-operations.ts'
import { readOperations } from '@clicktally/operations/read-operations.ts'
import type { FastifyReply } from 'fastify'
import { cellOf, personalCredential, projectOf, readerOf } from '../access/reader-access.ts'
import type { ApiContext } from '../api-context.ts'
import { clickConditions } from '../clicks/click-conditions.ts'
import { shownProperties } from '../clicks/click-record.ts'
import { problem } from '../errors.ts'
import { ExportLimits } from '../export/export-limits.ts'
import { exportedClicks } from '../export/exported-clicks.ts'
import { fileStream } from '../export/file-stream.ts'
import { parquetFile } from '../export/parquet-file.ts'
import { csvFile, ndjsonFile } from '../export/text-files.ts'
import { asOf } from '../queries/as-of.ts'
import type { ClickRow } from '../queries/click-page.ts'
import { readCountsFilter } from '../request/counts-filter.ts'
import { withTrueAsOf } from '../response/as-of-limit.ts'
import { metaOf } from '../response/meta.ts'
import { timeZoneOf } from '../time/time-zone.ts'

interface FileFormat {
  readonly type: string
  readonly encode: (
    pages: AsyncIterable<readonly ClickRow[]>,
    properties: readonly ClickProperty[],
  ) => AsyncIterable<string | Uint8Array>
}

const formats = {
  csv: { type: 'text/csv; charset=utf-8; header=present', encode: csvFile },
  ndjson: { type: 'application/x-ndjson', encode: ndjsonFile },
  parquet: { type: 'application/vnd.apache.parquet', encode: parquetFile },
} as const satisfies Record<ExportFormatName, FileFormat>

/** GET /v1/export */
export function exportClicks(app: HttpApp, { access }: ApiContext): void {
  const { method, url, schema } = readOperations.exportClicks
  const limits = new ExportLimits()
  app.options(url, access.preflight)
  app.route({
    method,
    url,
    // A HEAD request would read everything and send nothing.
    exposeHeadRoute: false,
    onRequest: access.requires('read'),
    schema: { querystring: schema.querystring },
    async handler(request, reply): Promise<FastifyReply> {
      const { format, after, personal = false, tz = 'UTC', filter: texts = [] } = request.query
      const filter = readCountsFilter(request.query, projectOf(request), timeZoneOf(tz))
      const credential = personal ? personalCredential(request) : undefined
      if (after !== undefined && !isUuidV7(after))
        throw problem('id_not_v7', '"after" must be the id of a click, from an earlier part of the export.', 'after')
      // Of the same server as the clicks.
      const db = cellOf(request).exportDb()
      const freshness = await asOf(db)
      const conditions = await clickConditions(db, filter.projectId, texts)
      const end = limits.begin(readerOf(request).name)
      const { type, encode } = formats[format]
      const pages = exportedClicks(db, { filter, conditions, credential }, after)
      const file = fileStream(encode(pages, shownProperties(personal)))
      file.once('close', end)
      const { meta } = withTrueAsOf(request, { meta: metaOf(freshness, 'clicks') })
      if (meta.asOf !== null) reply.header('clicktally-as-of', meta.asOf)
      return reply
        .header('cache-control', 'no-store')
        .header('content-disposition', `attachment; filename="clicks.${format}"`)
        .type(type)
        .send(file)
    },
  })
}
