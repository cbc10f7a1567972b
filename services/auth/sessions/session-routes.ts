import { sessionCookie } from '@clicktally/access/credential.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { ownerOperations } from '@clicktally/operations/owner-operations.ts'
import type { AuthContext } from '../auth-context.ts'
import { authenticate, clientAddress } from '../authentication.ts'
import { sessionLifetimeMs, sessionUser, signIn, signOut } from './sessions.ts'

/** The cookie is not readable by scripts, and is sent only to this host and never from another site. */
const attributes = 'Path=/; Secure; HttpOnly; SameSite=Strict'

export function sessionRoutes(app: HttpApp, { db, signInLimits }: AuthContext): void {
  const { signIn: start, getSession: show, signOut: end } = ownerOperations
  app.route({
    ...{ method: start.method, url: start.url, schema: { body: start.schema.body } },
    async handler(request, reply) {
      const { email, password } = request.body
      const address = clientAddress(request)
      const names = [`address ${address}`, `account ${email.toLowerCase()}`]
      const { user, token } = await signInLimits.run(names, () => signIn(db, address, email, password))
      const maxAge = Math.floor(sessionLifetimeMs / 1_000)
      return reply
        .header('set-cookie', `${sessionCookie}=${token}; Max-Age=${maxAge}; ${attributes}`)
        .header('cache-control', 'no-store')
        .send(user)
    },
  })
  app.route({
    ...{ method: show.method, url: show.url },
    async handler(request, reply) {
      const user = await sessionUser(db, await authenticate(db, request, undefined))
      return reply.header('cache-control', 'no-store').send(user)
    },
  })
  app.route({
    ...{ method: end.method, url: end.url, schema: { querystring: end.schema.querystring } },
    async handler(request, reply) {
      await signOut(db, await authenticate(db, request, undefined), request.query.everywhere === true)
      return reply.header('set-cookie', `${sessionCookie}=; Max-Age=0; ${attributes}`).code(204).send()
    },
  })
}
