import type { HttpApp } from '@clicktally/http/http-app.ts'
import { type ClickBalance, readOperations } from '@clicktally/operations/read-operations.ts'
import type { ApiContext } from '../api-context.ts'
import { cellBalance, type KnownBalance, sumOfBalances } from '../queries/cell-balances.ts'
import { setCaching } from '../response/caching.ts'
import { metaOf } from '../response/meta.ts'

/** GET /v1/balance */
export function getBalance(app: HttpApp, { cells, access }: ApiContext): void {
  const { method, url, schema } = readOperations.getBalance
  app.options(url, access.preflight)
  app.route({
    method,
    url,
    onRequest: access.requires('audit'),
    schema: { querystring: schema.querystring },
    async handler(_request, reply): Promise<ClickBalance> {
      const balances = await Promise.all(cells.all.map(cellBalance))
      const sum = sumOfBalances(balances)
      setCaching(reply)
      return {
        ...figuresOf(sum),
        ...(!cells.isSingle && {
          cells: cells.all.map(({ name }, index) => ({ cell: name, ...figuresOf(balances[index] as KnownBalance) })),
        }),
        meta: metaOf(sum.knownThrough, 'ledger'),
      }
    },
  })
}

function figuresOf({ knownThrough, ...figures }: KnownBalance) {
  return { ...figures, knownThrough: knownThrough?.toISOString() ?? null }
}
