import type { HttpApp } from '@clicktally/http/http-app.ts'
import { writeOperations } from '@clicktally/operations/write-operations.ts'
import type { IngestContext } from '../ingest-context.ts'
import { addBatchRoute } from './batch-route.ts'

/** POST /v1/events/batch: several current clicks. */
export function postBatch(app: HttpApp, context: IngestContext): void {
  addBatchRoute(app, context, writeOperations.postBatch, 'send', context.windowMs)
}
