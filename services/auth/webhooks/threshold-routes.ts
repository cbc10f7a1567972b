import type { HttpApp } from '@clicktally/http/http-app.ts'
import { ownerOperations } from '@clicktally/operations/owner-operations.ts'
import type { AuthContext } from '../auth-context.ts'
import { authenticate } from '../authentication.ts'
import { createThreshold, deleteThreshold, listThresholds } from './thresholds.ts'

export function thresholdRoutes(app: HttpApp, { db }: AuthContext): void {
  const { listThresholds: list, createThreshold: create, deleteThreshold: remove } = ownerOperations
  app.route({
    ...{ method: list.method, url: list.url, schema: { querystring: list.schema.querystring } },
    async handler(request) {
      await authenticate(db, request, 'audit')
      return { thresholds: await listThresholds(db, request.query.project) }
    },
  })
  app.route({
    ...{ method: create.method, url: create.url, schema: { body: create.schema.body } },
    async handler(request, reply) {
      const actor = await authenticate(db, request, 'manage')
      return reply.code(201).send(await createThreshold(db, actor, request.body))
    },
  })
  app.route({
    ...{ method: remove.method, url: remove.url, schema: { params: remove.schema.params } },
    async handler(request, reply) {
      await deleteThreshold(db, await authenticate(db, request, 'manage'), request.params.id)
      return reply.code(204).send()
    },
  })
}
