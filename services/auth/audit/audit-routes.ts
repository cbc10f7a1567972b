import type { HttpApp } from '@clicktally/http/http-app.ts'
import { ownerOperations } from '@clicktally/operations/owner-operations.ts'
import type { AuthContext } from '../auth-context.ts'
import { authenticate } from '../authentication.ts'
import { listAudit } from './audit-log.ts'

export function auditRoutes(app: HttpApp, { db }: AuthContext): void {
  const { method, url, schema } = ownerOperations.listAudit
  app.route({
    method,
    url,
    schema: { querystring: schema.querystring },
    async handler(request) {
      await authenticate(db, request, 'audit')
      const { limit = 100, before } = request.query
      return { entries: await listAudit(db, limit, before) }
    },
  })
}
