import { defaultProjectId } from '@clicktally/contract/click.ts'
import { type ClickReceipt, readOperations } from '@clicktally/contract/read-operations.ts'
import { isUuidV7 } from '@clicktally/contract/uuid-v7.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { ApiContext } from '../api-context.ts'
import { problem } from '../errors.ts'
import { metaOf } from '../meta.ts'
import { asOf } from '../queries/as-of.ts'
import { deadClick, storedClick } from '../queries/receipt.ts'
import { inSnapshot } from '../snapshot.ts'

/** GET /v1/events/:id */
export function getReceipt(app: HttpApp, { db }: ApiContext): void {
  const { method, url, schema } = readOperations.getReceipt
  app.route({
    method,
    url,
    schema: { params: schema.params },
    async handler(request, reply): Promise<ClickReceipt> {
      const id = request.params.id.toLowerCase()
      if (!isUuidV7(id)) throw problem('id_not_v7', 'The id of a click is a UUID of version 7.', 'id')
      reply.header('cache-control', 'no-store')
      return await inSnapshot(db, async (snapshot): Promise<ClickReceipt> => {
        const meta = metaOf(await asOf(snapshot), 'clicks')
        const stored = await storedClick(snapshot, defaultProjectId, id)
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
        const dead = await deadClick(snapshot, id)
        if (dead !== undefined)
          return { id, status: 'dead', reason: dead.reason, diedAt: dead.died_at.toISOString(), meta }
        return { id, status: 'not_seen', meta }
      })
    },
  })
}
