import { createHttpApp, type HttpApp } from '@clicktally/http/http-app.ts'
import type { RequestTracing } from '@clicktally/http/request-spans.ts'
import { sql } from 'kysely'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { auditRoutes } from './audit/audit-routes.ts'
import type { AuthContext } from './auth-context.ts'
import { explain } from './errors.ts'
import { keyRoutes } from './keys/key-routes.ts'
import { linkRoutes } from './links/link-routes.ts'
import { projectRoutes } from './projects/project-routes.ts'
import { publicCounterRoutes } from './public-counters/public-counter-routes.ts'
import { sessionRoutes } from './sessions/session-routes.ts'
import { requireStorableText } from './storable-text.ts'
import { userRoutes } from './users/user-routes.ts'
import { thresholdRoutes } from './webhooks/threshold-routes.ts'
import { webhookRoutes } from './webhooks/webhook-routes.ts'

/** Creates the HTTP app of the auth service. Neither opens a connection nor listens. */
export function createApp(
  context: AuthContext,
  logger: Logger,
  registry: Registry,
  requestTracing?: RequestTracing,
): HttpApp {
  const app = createHttpApp({
    logger,
    registry,
    isReady: () =>
      sql`select 1`.execute(context.db).then(
        () => true,
        () => false,
      ),
    explain,
    bodyLimit: 65_536,
    requestTracing,
  })
  app.addHook('preHandler', requireStorableText)
  projectRoutes(app, context)
  keyRoutes(app, context)
  publicCounterRoutes(app, context)
  linkRoutes(app, context)
  webhookRoutes(app, context)
  thresholdRoutes(app, context)
  userRoutes(app, context)
  sessionRoutes(app, context)
  auditRoutes(app, context)
  return app
}
