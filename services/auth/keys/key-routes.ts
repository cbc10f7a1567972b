import type { HttpApp } from '@clicktally/http/http-app.ts'
import { ownerOperations } from '@clicktally/operations/owner-operations.ts'
import type { AuthContext } from '../auth-context.ts'
import { authenticate } from '../authentication.ts'
import { changeKey, createKey, listKeys, revokeKey, rotateKey } from './keys.ts'

export function keyRoutes(app: HttpApp, { db, onKeysChanged }: AuthContext): void {
  const { listKeys: list, createKey: create, changeKey: change, rotateKey: rotate, revokeKey: revoke } = ownerOperations
  app.route({
    ...{ method: list.method, url: list.url, schema: { querystring: list.schema.querystring } },
    async handler(request) {
      await authenticate(db, request, 'audit')
      return { keys: await listKeys(db, request.query.project) }
    },
  })
  app.route({
    ...{ method: create.method, url: create.url, schema: { body: create.schema.body } },
    async handler(request, reply) {
      const made = await createKey(db, await authenticate(db, request, 'manage'), request.body)
      onKeysChanged()
      return reply.code(201).header('cache-control', 'no-store').send(made)
    },
  })
  app.route({
    ...{ method: change.method, url: change.url },
    schema: { params: change.schema.params, body: change.schema.body },
    async handler(request) {
      const key = await changeKey(db, await authenticate(db, request, 'manage'), request.params.id, request.body)
      onKeysChanged()
      return key
    },
  })
  app.route({
    ...{ method: rotate.method, url: rotate.url },
    schema: { params: rotate.schema.params, body: rotate.schema.body },
    async handler(request, reply) {
      const actor = await authenticate(db, request, 'manage')
      const made = await rotateKey(db, actor, request.params.id, request.body.overlapSeconds ?? 86_400)
      onKeysChanged()
      return reply.code(201).header('cache-control', 'no-store').send(made)
    },
  })
  app.route({
    ...{ method: revoke.method, url: revoke.url, schema: { params: revoke.schema.params } },
    async handler(request, reply) {
      await revokeKey(db, await authenticate(db, request, 'manage'), request.params.id)
      onKeysChanged()
      return reply.code(204).send()
    },
  })
}
