import { batchLimits } from '@clicktally/contract/click-event.ts'
import { createHttpApp, type HttpApp } from '@clicktally/http/http-app.ts'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { ClickFigures } from './click-figures.ts'
import type { ClickPublisher } from './click-publisher.ts'
import { readText } from './request-body.ts'
import { postBatch } from './routes/post-batch.ts'
import { postEvent } from './routes/post-event.ts'

/** What the routes need. */
export interface IngestContext {
  readonly publisher: Pick<ClickPublisher, 'publish' | 'isReady'>
  readonly figures: ClickFigures
  /** How old a click may be, in milliseconds. */
  readonly windowMs: number
}

/** The HTTP side of ingest: pure registration, nothing is opened here. */
export function createApp(context: IngestContext, logger: Logger, registry: Registry): HttpApp {
  const app = createHttpApp({
    logger,
    registry,
    isReady: () => context.publisher.isReady,
    bodyLimit: batchLimits.bodyBytes,
  })
  // Bodies are parsed where the rules are known: Fastify's own parser would refuse a batch for one bad event in it.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, readText)
  app.register(async (batch) => {
    batch.addContentTypeParser('application/x-ndjson', { parseAs: 'buffer' }, readText)
    postBatch(batch as unknown as FastifyInstance, context)
  })
  postEvent(app as unknown as FastifyInstance, context)
  return app
}
