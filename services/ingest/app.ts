import { batchLimits } from '@clicktally/contract/click-event.ts'
import { createHttpApp, type HttpApp } from '@clicktally/http/http-app.ts'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { IngestContext } from './ingest-context.ts'
import { readText } from './request-body.ts'
import { postBackfill } from './routes/post-backfill.ts'
import { postBatch } from './routes/post-batch.ts'
import { postEvent } from './routes/post-event.ts'

/** The HTTP side of ingest: pure registration, nothing is opened here. */
export function createApp(context: IngestContext, logger: Logger, registry: Registry): HttpApp {
  const app = createHttpApp({
    logger,
    registry,
    isReady: () => context.publisher.isReady,
    whyNotReady: () => context.publisher.refusal,
    bodyLimit: batchLimits.bodyBytes,
  })
  // Bodies are parsed where the rules are known: Fastify's own parser would refuse a batch for one bad event in it.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, readText)
  postEvent(app, context)
  app.register(async (batches) => {
    batches.addContentTypeParser('application/x-ndjson', { parseAs: 'buffer' }, readText)
    postBatch(batches, context)
    postBackfill(batches, context)
  })
  return app
}
