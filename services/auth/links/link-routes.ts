import type { HttpApp } from '@clicktally/http/http-app.ts'
import { ownerOperations } from '@clicktally/operations/owner-operations.ts'
import type { AuthContext } from '../auth-context.ts'
import { authenticate } from '../authentication.ts'
import { createLink, deleteLink, listLinks } from './links.ts'

export function linkRoutes(app: HttpApp, { db, onKeysChanged }: AuthContext): void {
  const { listLinks: list, createLink: create, deleteLink: remove } = ownerOperations
  app.route({
    ...{ method: list.method, url: list.url, schema: { querystring: list.schema.querystring } },
    async handler(request) {
      await authenticate(db, request, 'audit')
      return { links: await listLinks(db, request.query.project) }
    },
  })
  app.route({
    ...{ method: create.method, url: create.url, schema: { body: create.schema.body } },
    async handler(request, reply) {
      const link = await createLink(db, await authenticate(db, request, 'manage'), request.body)
      onKeysChanged()
      return reply.code(201).send(link)
    },
  })
  app.route({
    ...{ method: remove.method, url: remove.url, schema: { params: remove.schema.params } },
    async handler(request, reply) {
      await deleteLink(db, await authenticate(db, request, 'manage'), request.params.slug)
      onKeysChanged()
      return reply.code(204).send()
    },
  })
}
