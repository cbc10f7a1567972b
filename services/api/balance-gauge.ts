import { type Balance, readBalance } from '@clicktally/database/balance.ts'
import { type FoldBacklog, readFoldBacklog } from '@clicktally/database/fold-backlog.ts'
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

/** Shows the balance and the backlog of the folds at /metrics, read at each scrape; absent or NaN while the database is away. */
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
  const backlogGauge = (name: string, help: string, read: (backlog: FoldBacklog) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        this.set(await readFoldBacklog(db).then(read, () => Number.NaN))
      },
    })
  backlogGauge(
    'clicktally_fold_waiting_seconds',
    'For how long the oldest delta may have waited to be folded into the counters; over 60 something is wrong.',
    ({ waitingSeconds }) => waitingSeconds,
  )
  backlogGauge(
    'clicktally_deltas_set_aside',
    'Deltas that could not be added to a counter. Questions read them as they are, so counts are right.',
    ({ setAside }) => setAside,
  )
}
