import type { HttpApp } from '@clicktally/http/http-app.ts'
import { writeOperations } from '@clicktally/operations/write-operations.ts'
import type { IngestContext } from '../ingest-context.ts'
import { addBatchRoute } from './batch-route.ts'

/** POST /v1/backfill: like a batch, but for old clicks: the time window does not apply. */
export function postBackfill(app: HttpApp, context: IngestContext): void {
  addBatchRoute(app, context, writeOperations.postBackfill, 'backfill', undefined)
}
