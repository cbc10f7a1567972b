import { type ClickBalance, readOperations } from '@clicktally/contract/read-operations.ts'
import { readBalance } from '@clicktally/database/balance.ts'
import { balanceStatus, readKnownThrough } from '@clicktally/database/known-through.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { ApiContext } from '../api-context.ts'
import { metaOf } from '../meta.ts'

/** GET /v1/balance */
export function getBalance(app: HttpApp, { db }: ApiContext): void {
  const { method, url, schema } = readOperations.getBalance
  app.route({
    method,
    url,
    schema: { querystring: schema.querystring },
    async handler(_request, reply): Promise<ClickBalance> {
      // First: what the balance knows a moment later is at least that.
      const known = await readKnownThrough(db)
      const balance = await readBalance(db)
      reply.header('cache-control', 'public, max-age=1')
      const knownThrough = known.knownThrough?.toISOString() ?? null
      return { status: balanceStatus(known), knownThrough, ...balance, meta: metaOf(known.knownThrough, 'ledger') }
    },
  })
}
