import { isUuidV7 } from '@clicktally/event/uuid-v7.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { type ClickReceipt, readOperations } from '@clicktally/operations/read-operations.ts'
import { cellOf, projectOf } from '../access/reader-access.ts'
import type { ApiContext } from '../api-context.ts'
import { problem } from '../errors.ts'
import { asOf } from '../queries/as-of.ts'
import { deadClick, isBeforeHorizon, storedClick } from '../queries/receipt.ts'
import { inSnapshot } from '../queries/snapshot.ts'
import { withTrueAsOf } from '../response/as-of-limit.ts'
import { metaOf } from '../response/meta.ts'

/** GET /v1/events/:id */
export function getReceipt(app: HttpApp, { access }: ApiContext): void {
  const { method, url, schema } = readOperations.getReceipt
  app.options(url, access.preflight)
  app.route({
    method,
    url,
    onRequest: access.requires('read'),
    schema: { params: schema.params, querystring: schema.querystring },
    async handler(request, reply): Promise<ClickReceipt> {
      const projectId = projectOf(request)
      const id = request.params.id.toLowerCase()
      if (!isUuidV7(id)) throw problem('id_not_v7', 'The id of a click must be a version 7 UUID.', 'id')
      reply.header('cache-control', 'no-store')
      const receipt = await inSnapshot(cellOf(request).db, async (snapshot): Promise<ClickReceipt> => {
        const meta = metaOf(await asOf(snapshot), 'clicks')
        const stored = await storedClick(snapshot, projectId, id)
        if (stored !== undefined) {
          return {
            id,
            status: 'counted',
            target: stored.target,
            occurredAt: stored.occurred_at.toISOString(),
            receivedAt: stored.received_at.toISOString(),
            countedAt: stored.counted_at.toISOString(),
            meta,
          }
        }
        const dead = await deadClick(snapshot, projectId, id)
        if (dead !== undefined)
          return { id, status: 'dead', reason: dead.reason, diedAt: dead.died_at.toISOString(), meta }
        return { id, status: (await isBeforeHorizon(snapshot, projectId, id)) ? 'unknown' : 'not_seen', meta }
      })
      return withTrueAsOf(request, receipt)
    },
  })
}
