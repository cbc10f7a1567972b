import type { HttpApp } from '@clicktally/http/http-app.ts'
import { writeOperations } from '@clicktally/operations/write-operations.ts'
import type { IngestContext } from '../ingest-context.ts'
import { beaconOf } from '../request/request-batch.ts'
import { smallBodyBytes } from '../request/request-body.ts'
import { acceptBatch } from './batch-acceptance.ts'

/**
 * POST /v1/c and /v1/beacon: clicks from pages, as text/plain, so that the browser sends no preflight, which it cannot do while a
 * page is being left. The beacon is answered without a body, since navigator.sendBeacon() cannot read it.
 */
export function postBeacon(app: HttpApp, context: IngestContext): void {
  const { access, windowMs } = context
  for (const { operation, acceptedStatus } of [
    { operation: writeOperations.postClicks, acceptedStatus: 202 },
    { operation: writeOperations.postBeacon, acceptedStatus: 204 },
  ] as const) {
    const { method, url } = operation
    app.options(url, access.preflight)
    app.route({
      method,
      url,
      // Browsers send at most 64 KiB with sendBeacon() and with keepalive.
      bodyLimit: smallBodyBytes,
      onRequest: access.requiresUnlessInBody('send'),
      handler(request, reply) {
        const { key: text, events } = beaconOf(request)
        const key = request.senderKey ?? access.authorize(request, reply, 'send', { text })
        acceptBatch(context, request, reply, { key, events, windowMs, acceptedStatus })
      },
    })
  }
}
