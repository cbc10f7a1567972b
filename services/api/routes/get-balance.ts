import { readBalance } from '@clicktally/database/balance.ts'
import { balanceStatus, readKnownThrough } from '@clicktally/database/known-through.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { type ClickBalance, readOperations } from '@clicktally/operations/read-operations.ts'
import type { ApiContext } from '../api-context.ts'
import { inSnapshot } from '../queries/snapshot.ts'
import { setCaching } from '../response/caching.ts'
import { metaOf } from '../response/meta.ts'

/** GET /v1/balance */
export function getBalance(app: HttpApp, { db, access }: ApiContext): void {
  const { method, url, schema } = readOperations.getBalance
  app.options(url, access.preflight)
  app.route({
    method,
    url,
    onRequest: access.requires('audit'),
    schema: { querystring: schema.querystring },
    async handler(_request, reply): Promise<ClickBalance> {
      const answer = await inSnapshot(db, async (snapshot) => {
        const known = await readKnownThrough(snapshot)
        const knownThrough = known.knownThrough?.toISOString() ?? null
        const balance = await readBalance(snapshot)
        return { status: balanceStatus(known), knownThrough, ...balance, meta: metaOf(known.knownThrough, 'ledger') }
      })
      setCaching(reply)
      return answer
    },
  })
}
