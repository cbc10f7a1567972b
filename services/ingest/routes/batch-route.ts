import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { Right } from '@clicktally/keys/roles.ts'
import type { writeOperations } from '@clicktally/operations/write-operations.ts'
import { senderOf } from '../access/sender-access.ts'
import type { IngestContext } from '../ingest-context.ts'
import { batchOf } from '../request/request-batch.ts'
import { acceptBatch } from './batch-acceptance.ts'

type BatchOperation = typeof writeOperations.postBatch | typeof writeOperations.postBackfill

/**
 * Adds a route for up to 500 events.
 *
 * @param right that the key needs
 * @param windowMs how old a click may be; undefined for a backfill
 */
export function addBatchRoute(
  app: HttpApp,
  context: IngestContext,
  { method, url }: BatchOperation,
  right: Right,
  windowMs: number | undefined,
): void {
  const { access } = context
  app.options(url, access.preflight)
  app.route({
    method,
    url,
    onRequest: access.requires(right),
    handler(request, reply) {
      const key = senderOf(request)
      acceptBatch(context, request, reply, { key, events: batchOf(request), windowMs, acceptedStatus: 202 })
    },
  })
}
