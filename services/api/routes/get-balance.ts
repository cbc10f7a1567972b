import { type ClickBalance, readOperations } from '@clicktally/contract/read-operations.ts'
import { readBalance } from '@clicktally/database/balance.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { ApiContext } from '../api-context.ts'
import { metaOf } from '../meta.ts'
import { asOf } from '../queries/as-of.ts'

/** GET /v1/balance */
export function getBalance(app: HttpApp, { db }: ApiContext): void {
  const { method, url, schema } = readOperations.getBalance
  app.route({
    method,
    url,
    schema: { querystring: schema.querystring },
    async handler(_request, reply): Promise<ClickBalance> {
      const freshness = await asOf(db)
      const balance = await readBalance(db)
      reply.header('cache-control', 'public, max-age=1')
      return { ...balance, meta: metaOf(freshness, 'ledger') }
    },
  })
}
