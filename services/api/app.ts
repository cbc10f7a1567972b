import { createDatabase } from '@clicktally/database/connection.ts'
import { createHttpApp, type HttpApp } from '@clicktally/http/http-app.ts'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { sql } from 'kysely'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { ReaderAccess } from './access/reader-access.ts'
import type { ApiContext } from './api-context.ts'
import { exportDatabaseMetrics } from './database-metrics.ts'
import { databaseProblem } from './errors.ts'
import type { LiveViewers } from './live/live-viewers.ts'
import { asyncApiDocument } from './openapi/asyncapi-document.ts'
import { openApiDocument, version } from './openapi/openapi-document.ts'
import { parameterProblem } from './request/parameter-problem.ts'
import { exportClicks } from './routes/export-clicks.ts'
import { getBalance } from './routes/get-balance.ts'
import { getBreakdown } from './routes/get-breakdown.ts'
import { getCounts } from './routes/get-counts.ts'
import { getDeadLetters } from './routes/get-dead-letters.ts'
import { getLive } from './routes/get-live.ts'
import { getPublicCounter } from './routes/get-public-counter.ts'
import { getReceipt } from './routes/get-receipt.ts'
import { getSeries } from './routes/get-series.ts'
import { getTop } from './routes/get-top.ts'
import { listClicks } from './routes/list-clicks.ts'
import { ScanSlots } from './scan/scan-slots.ts'
import { SketchCache } from './visitors/sketch-cache.ts'

/** The others wait: a scan keeps a connection and a core busy, and other requests need some too. */
const maxScans = 2

/** Creates the HTTP app of the read API. Opens no connection and does not listen. */
export async function createApp(
  { pool, exportPool }: { readonly pool: Pool; readonly exportPool: Pool },
  { isOpen, viewers }: { readonly isOpen: boolean; readonly viewers: LiveViewers },
  logger: Logger,
  registry: Registry,
): Promise<HttpApp> {
  const db = createDatabase(pool)
  const context: ApiContext = {
    ...{ db, pool, access: new ReaderAccess(db, isOpen), sketches: new SketchCache(), viewers },
    exportDb: createDatabase(exportPool),
    scans: new ScanSlots(maxScans),
  }
  const app = createHttpApp({
    logger,
    registry,
    isReady: () =>
      sql`select 1`.execute(db).then(
        () => true,
        () => false,
      ),
    explain: (error, request) => databaseProblem(error) ?? parameterProblem(error, request),
  })

  app.decorateRequest('projectId')
  app.decorateRequest('reader')
  exportDatabaseMetrics(db, registry)
  const document = await openApiDocument()
  app.get('/openapi.json', (_request, reply) => reply.header('cache-control', 'public, max-age=300').send(document))
  const asyncDocument = asyncApiDocument(version)
  app.get('/asyncapi.json', (_request, reply) =>
    reply.header('cache-control', 'public, max-age=300').send(asyncDocument),
  )
  await app.register(swagger, { mode: 'static', specification: { document: document as never } })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    // The standalone layout has a bar on top, whose logo contains a style that the Content-Security-Policy forbids.
    uiConfig: { layout: 'BaseLayout', docExpansion: 'list', tryItOutEnabled: true },
    theme: { title: 'Clicktally' },
  })

  getCounts(app, context)
  getSeries(app, context)
  getTop(app, context)
  getBreakdown(app, context)
  getReceipt(app, context)
  getBalance(app, context)
  getLive(app, context)
  getPublicCounter(app, context)
  listClicks(app, context)
  exportClicks(app, context)
  getDeadLetters(app, context)
  return app
}
