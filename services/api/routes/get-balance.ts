import { type ClickBalance, readOperations } from '@clicktally/contract/read-operations.ts'
import { readBalance } from '@clicktally/database/balance.ts'
import { balanceStatus, readKnownThrough } from '@clicktally/database/known-through.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { ApiContext } from '../api-context.ts'
import { metaOf } from '../meta.ts'
import { inSnapshot } from '../snapshot.ts'

/** GET /v1/balance */
export function getBalance(app: HttpApp, { db }: ApiContext): void {
  const { method, url, schema } = readOperations.getBalance
  app.route({
    method,
    url,
    schema: { querystring: schema.querystring },
    async handler(_request, reply): Promise<ClickBalance> {
      const answer = await inSnapshot(db, async (snapshot) => {
        const known = await readKnownThrough(snapshot)
        const knownThrough = known.knownThrough?.toISOString() ?? null
        const balance = await readBalance(snapshot)
        return { status: balanceStatus(known), knownThrough, ...balance, meta: metaOf(known.knownThrough, 'ledger') }
      })
      reply.header('cache-control', 'public, max-age=1')
      return answer
    },
  })
}
