import { createDatabase } from '@clicktally/database/connection.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { createHttpApp, type HttpApp } from '@clicktally/http/http-app.ts'
import type { RequestTracing } from '@clicktally/http/request-spans.ts'
import { homeCell } from '@clicktally/system/cells.ts'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { type Kysely, sql } from 'kysely'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { ReaderAccess } from './access/reader-access.ts'
import type { ApiContext } from './api-context.ts'
import type { Cell } from './cells/cell.ts'
import { Cells } from './cells/cells.ts'
import { exportDatabaseMetrics } from './database-metrics.ts'
import { databaseProblem } from './errors.ts'
import type { LiveViewers } from './live/live-viewers.ts'
import { asyncApiDocument } from './openapi/asyncapi-document.ts'
import { openApiDocument, version } from './openapi/openapi-document.ts'
import { CountsReader } from './queries/counts-reader.ts'
import { FallbackPool } from './replica/fallback-pool.ts'
import { replicaMetrics } from './replica/replica-metrics.ts'
import type { ReplicaWatch } from './replica/replica-watch.ts'
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
import { listDimensions } from './routes/list-dimensions.ts'
import { ScanSlots } from './scan/scan-slots.ts'
import { SketchCache } from './visitors/sketch-cache.ts'

/** The others wait: a scan keeps a connection and a core busy, and other requests need some too. */
const maxScans = 2

/** Connections to the database of a cell. */
export interface CellPools {
  readonly pool: Pool
  readonly exportPool: Pool
}

/** Of the home cell. */
export interface Databases extends CellPools {
  /** What may be read instead of the primary. */
  readonly replica?: {
    readonly watch: Pick<ReplicaWatch, 'isCurrent' | 'lagMs'>
  } & CellPools
}

export interface AppOptions {
  readonly isOpen: boolean
  /** Of the home cell. */
  readonly viewers: LiveViewers
  /** By the name of the cell. */
  readonly otherCells?: ReadonlyMap<string, CellPools & { readonly viewers: LiveViewers }>
}

/** Creates the HTTP app of the read API. Opens no connection and does not listen. */
export async function createApp(
  { pool, exportPool, replica }: Databases,
  { isOpen, viewers, otherCells = new Map() }: AppOptions,
  logger: Logger,
  registry: Registry,
  requestTracing?: RequestTracing,
): Promise<HttpApp> {
  const primary = createDatabase(pool)
  const mayReadReplica = () => replica?.watch.isCurrent === true
  // Counts come from the replica first. Keys come from the primary, because a key may be used as soon as it is created.
  const toRead = [...(replica ? [{ pool: replica.pool, isUsable: mayReadReplica }] : []), { pool }]
  const reads = new FallbackPool(toRead)
  const keys = createDatabase(new FallbackPool(toRead.toReversed()))
  const [primaryExports, replicaExports] = [exportPool, replica?.exportPool].map((each) => each && createDatabase(each))
  const sketches = new SketchCache()
  const home: Cell = {
    ...{
      name: homeCell,
      db: createDatabase(reads),
      pool: reads,
      counts: new CountsReader(reads, sketches),
      sketches,
      viewers,
    },
    exportDb: () => (mayReadReplica() ? replicaExports : undefined) ?? (primaryExports as Kysely<Tables>),
  }
  const others = Array.from(otherCells, ([name, { pool, exportPool, viewers }]): Cell => {
    const exports = createDatabase(exportPool)
    const sketches = new SketchCache()
    const counts = new CountsReader(pool, sketches)
    return { name, db: createDatabase(pool), pool, counts, sketches, viewers, exportDb: () => exports }
  })
  const cells = new Cells(home, others)
  const access = new ReaderAccess(keys, isOpen, cells)
  const context: ApiContext = { cells, access, scans: new ScanSlots(maxScans) }
  const app = createHttpApp({
    logger,
    registry,
    isReady: () =>
      mayReadReplica() ||
      sql`select 1`.execute(primary).then(
        () => true,
        () => false,
      ),
    whyNotReady: () => (replica?.watch.lagMs === undefined ? 'database_unavailable' : 'replica_behind'),
    explain: (error, request) => databaseProblem(error) ?? parameterProblem(error, request),
    requestTracing,
  })

  app.decorateRequest('projectId')
  app.decorateRequest('reading')
  app.decorateRequest('reader')
  exportDatabaseMetrics(new Map([[homeCell, primary], ...others.map(({ name, db }) => [name, db] as const)]), registry)
  replicaMetrics(replica?.watch, registry)
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
  listDimensions(app, context)
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
