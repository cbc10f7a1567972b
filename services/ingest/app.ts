import { batchLimits } from '@clicktally/event/click-event.ts'
import { createHttpApp, type HttpApp } from '@clicktally/http/http-app.ts'
import type { RequestTracing } from '@clicktally/http/request-spans.ts'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { IngestContext } from './ingest-context.ts'
import { readText } from './request/request-body.ts'
import { followLink } from './routes/follow-link.ts'
import { getPixel } from './routes/get-pixel.ts'
import { postBackfill } from './routes/post-backfill.ts'
import { postBatch } from './routes/post-batch.ts'
import { postBeacon } from './routes/post-beacon.ts'
import { postEvent } from './routes/post-event.ts'
import { postSegment } from './routes/post-segment.ts'

/** Creates the HTTP app of ingest. Opens no connection and does not listen. */
export function createApp(
  context: IngestContext,
  logger: Logger,
  registry: Registry,
  requestTracing?: RequestTracing,
): HttpApp {
  const app = createHttpApp({
    logger,
    registry,
    isReady: () => context.access.isReady && context.publisher.isReady,
    whyNotReady: () => (context.access.isReady ? context.publisher.refusal : 'no_keys'),
    bodyLimit: batchLimits.bodyBytes,
    requestTracing,
  })
  app.decorateRequest('senderKey')
  // The routes parse the bodies: Fastify's own parser would reject a whole batch for one invalid event.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, readText)
  postEvent(app, context)
  getPixel(app, context)
  followLink(app, context)
  app.register(async (beacons) => {
    beacons.addContentTypeParser('text/plain', { parseAs: 'buffer' }, readText)
    postBeacon(beacons, context)
    postSegment(beacons, context)
  })
  app.register(async (batches) => {
    batches.addContentTypeParser('application/x-ndjson', { parseAs: 'buffer' }, readText)
    postBatch(batches, context)
    postBackfill(batches, context)
  })
  return app
}
