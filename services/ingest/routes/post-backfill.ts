import { writeOperations } from '@clicktally/contract/write-operations.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { IngestContext } from '../ingest-context.ts'
import { addBatchRoute } from './batch-route.ts'

/** POST /v1/backfill: as the batch, for clicks of the past: no window shuts them out. */
export function postBackfill(app: HttpApp, context: IngestContext): void {
  addBatchRoute(app, context, writeOperations.postBackfill, undefined)
}
