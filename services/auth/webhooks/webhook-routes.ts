import type { HttpApp } from '@clicktally/http/http-app.ts'
import { ownerOperations } from '@clicktally/operations/owner-operations.ts'
import type { AuthContext } from '../auth-context.ts'
import { authenticate } from '../authentication.ts'
import { listDeliveries, redeliver, testWebhook } from './deliveries.ts'
import { changeWebhook, createWebhook, deleteWebhook, listWebhooks, rotateSecret } from './webhooks.ts'

export function webhookRoutes(app: HttpApp, { db, webhookAddresses }: AuthContext): void {
  const { listWebhooks: list, createWebhook: create, changeWebhook: change, deleteWebhook: remove } = ownerOperations
  const { rotateWebhookSecret: rotate } = ownerOperations
  const { testWebhook: test, listDeliveries: deliveries, redeliver: again } = ownerOperations
  app.route({
    ...{ method: list.method, url: list.url, schema: { querystring: list.schema.querystring } },
    async handler(request) {
      await authenticate(db, request, 'audit')
      return { webhooks: await listWebhooks(db, request.query) }
    },
  })
  app.route({
    ...{ method: create.method, url: create.url, schema: { body: create.schema.body } },
    async handler(request, reply) {
      const actor = await authenticate(db, request, 'manage')
      const made = await createWebhook(db, actor, request.body, webhookAddresses)
      return reply.code(201).header('cache-control', 'no-store').send(made)
    },
  })
  app.route({
    ...{ method: change.method, url: change.url },
    schema: { params: change.schema.params, body: change.schema.body },
    async handler(request) {
      const actor = await authenticate(db, request, 'manage')
      return await changeWebhook(db, actor, request.params.id, request.body.enabled)
    },
  })
  app.route({
    ...{ method: rotate.method, url: rotate.url },
    schema: { params: rotate.schema.params, body: rotate.schema.body },
    async handler(request, reply) {
      const actor = await authenticate(db, request, 'manage')
      const made = await rotateSecret(db, actor, request.params.id, request.body.overlapSeconds ?? 86_400)
      return reply.header('cache-control', 'no-store').send(made)
    },
  })
  app.route({
    ...{ method: test.method, url: test.url, schema: { params: test.schema.params } },
    async handler(request, reply) {
      const delivery = await testWebhook(db, await authenticate(db, request, 'manage'), request.params.id)
      return reply.code(202).send(delivery)
    },
  })
  app.route({
    ...{ method: deliveries.method, url: deliveries.url },
    schema: { params: deliveries.schema.params, querystring: deliveries.schema.querystring },
    async handler(request) {
      await authenticate(db, request, 'audit')
      return { deliveries: await listDeliveries(db, request.params.id, request.query.limit ?? 100) }
    },
  })
  app.route({
    ...{ method: again.method, url: again.url },
    schema: { params: again.schema.params, body: again.schema.body },
    async handler(request, reply) {
      const actor = await authenticate(db, request, 'manage')
      const count = await redeliver(db, actor, request.params.id, request.body.event)
      return reply.code(202).send({ deliveries: count })
    },
  })
  app.route({
    ...{ method: remove.method, url: remove.url, schema: { params: remove.schema.params } },
    async handler(request, reply) {
      await deleteWebhook(db, await authenticate(db, request, 'manage'), request.params.id)
      return reply.code(204).send()
    },
  })
}
