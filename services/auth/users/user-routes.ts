import type { HttpApp } from '@clicktally/http/http-app.ts'
import { ownerOperations } from '@clicktally/operations/owner-operations.ts'
import type { AuthContext } from '../auth-context.ts'
import { authenticate, clientAddress } from '../authentication.ts'
import { changeUser, createPasswordLink, inviteUser, listUsers, setPassword } from './users.ts'

export function userRoutes(app: HttpApp, { db, signInLimits }: AuthContext): void {
  const { listUsers: list, inviteUser: invite, changeUser: change } = ownerOperations
  const { createPasswordLink: link, setPassword: set } = ownerOperations
  app.route({
    ...{ method: list.method, url: list.url },
    async handler(request) {
      await authenticate(db, request, 'audit')
      return { users: await listUsers(db) }
    },
  })
  app.route({
    ...{ method: invite.method, url: invite.url, schema: { body: invite.schema.body } },
    async handler(request, reply) {
      const invited = await inviteUser(db, await authenticate(db, request, 'manage'), request.body)
      return reply.code(201).header('cache-control', 'no-store').send(invited)
    },
  })
  app.route({
    ...{ method: change.method, url: change.url },
    schema: { params: change.schema.params, body: change.schema.body },
    handler: async (request) =>
      await changeUser(db, await authenticate(db, request, 'manage'), request.params.id, request.body),
  })
  app.route({
    ...{ method: link.method, url: link.url, schema: { params: link.schema.params } },
    async handler(request, reply) {
      const made = await createPasswordLink(db, await authenticate(db, request, 'manage'), request.params.id)
      return reply.code(201).header('cache-control', 'no-store').send(made)
    },
  })
  app.route({
    ...{ method: set.method, url: set.url, schema: { body: set.schema.body } },
    async handler(request, reply) {
      const { token, password } = request.body
      const address = clientAddress(request)
      await signInLimits.run([`address ${address}`], () => setPassword(db, address, token, password))
      return reply.code(204).send()
    },
  })
}
