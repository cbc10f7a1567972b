import { type Balance, readBalance } from '@clicktally/database/balance.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import { Gauge, type Registry } from 'prom-client'

const kinds = [
  'accepted',
  'counted',
  'duplicates',
  'dead',
  'discarded',
  'inFlight',
  'overdue',
] as const satisfies (keyof Balance)[]

/** Shows the balance at /metrics, read from the ledger at each scrape; absent while the database is away. */
export function showBalance(db: Kysely<Tables>, registry: Registry): void {
  new Gauge({
    name: 'clicktally_balance_clicks',
    help: 'Clicks since the beginning, from the ledger: accepted = counted + duplicates + dead + discarded + inFlight.',
    labelNames: ['kind'],
    registers: [registry],
    async collect() {
      this.reset()
      const balance = await readBalance(db).catch(() => undefined)
      if (balance !== undefined) for (const kind of kinds) this.set({ kind }, balance[kind])
    },
  })
}
