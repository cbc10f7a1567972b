import type { Tables } from '@clicktally/database/tables.ts'
import { createHttpApp, type HttpApp } from '@clicktally/http/http-app.ts'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { type Kysely, sql } from 'kysely'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { showBalance } from './balance-gauge.ts'
import { databaseProblem, problem } from './errors.ts'
import { KeptSketches } from './kept-sketches.ts'
import { openApiDocument } from './openapi.ts'
import { getBalance } from './routes/get-balance.ts'
import { getCounts } from './routes/get-counts.ts'
import { getReceipt } from './routes/get-receipt.ts'
import { getSeries } from './routes/get-series.ts'
import { getTop } from './routes/get-top.ts'

/** The HTTP side of the read api: pure registration, nothing is opened here. */
export async function createApp(db: Kysely<Tables>, logger: Logger, registry: Registry): Promise<HttpApp> {
  const context = { db, sketches: new KeptSketches() }
  const app = createHttpApp({
    logger,
    registry,
    isReady: () =>
      sql`select 1`.execute(db).then(
        () => true,
        () => false,
      ),
    explain: (error) => databaseProblem(error) ?? parameterProblem(error),
  })

  showBalance(db, registry)
  const document = await openApiDocument()
  app.get('/openapi.json', (_request, reply) => reply.header('cache-control', 'public, max-age=300').send(document))
  await app.register(swagger, { mode: 'static', specification: { document: document as never } })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { docExpansion: 'list', tryItOutEnabled: true },
    theme: { title: 'Clicktally', css: [{ filename: 'page.css', content: '.swagger-ui .topbar { display: none }' }] },
  })

  getCounts(app, context)
  getSeries(app, context)
  getTop(app, context)
  getReceipt(app, context)
  getBalance(app, context)
  return app
}

/** Fastify's validation error, by the name of the parameter at fault. */
function parameterProblem(error: unknown) {
  const { validation } = error as {
    validation?: { keyword: string; instancePath: string; message: string; params?: object }[]
  }
  const [first] = validation ?? []
  if (validation === undefined || first === undefined) return undefined
  const params = Object.assign({}, ...validation.map((each) => each.params)) as {
    additionalProperties?: string[]
    requiredProperties?: string[]
  }
  const [unknown] = params.additionalProperties ?? []
  if (unknown !== undefined) {
    return problem('parameter_unknown', `There is no parameter "${unknown.slice(0, 64)}".`, unknown.slice(0, 64), error)
  }
  const [missing] = params.requiredProperties ?? []
  const field = missing ?? first.instancePath.slice(1)
  return problem(
    'parameter_invalid',
    `"${field}" ${missing === undefined ? first.message : 'is required'}.`,
    field,
    error,
  )
}
