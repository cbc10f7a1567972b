import { writeOperations } from '@clicktally/contract/write-operations.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { IngestContext } from '../ingest-context.ts'
import { addBatchRoute } from './batch-route.ts'

/** POST /v1/events/batch: many clicks as they happen. */
export function postBatch(app: HttpApp, context: IngestContext): void {
  addBatchRoute(app, context, writeOperations.postBatch, context.windowMs)
}
