import { type Balance, readBalance } from '@clicktally/database/balance.ts'
import { type FoldBacklog, readFoldBacklog } from '@clicktally/database/fold-backlog.ts'
import { balanceStatus, readKnownThrough } from '@clicktally/database/known-through.ts'
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

/** What the ledger cannot tell while it is not current; the others are counted from what has arrived. */
const unknownWhenStale: ReadonlySet<keyof Balance> = new Set(['accepted', 'inFlight'])

/**
 * Shows the balance and the backlog of the folds at /metrics, read at each scrape; absent or NaN while the database is away.
 * Of a balance that is not current, what it cannot know is absent too, rather than a zero that is taken for good news.
 */
export function showBalance(db: Kysely<Tables>, registry: Registry): void {
  new Gauge({
    name: 'clicktally_balance_known_through_timestamp_seconds',
    help: 'Every click accepted before this time is in the balance. Absent while no processor has ever said.',
    registers: [registry],
    async collect() {
      this.remove()
      const { knownThrough } = await readKnownThrough(db).catch(() => ({ knownThrough: null }))
      if (knownThrough !== null) this.set(knownThrough.getTime() / 1000)
    },
  })
  new Gauge({
    name: 'clicktally_balance_clicks',
    help: 'Clicks since the beginning, from the ledger: accepted = counted + duplicates + dead + discarded + inFlight. While the balance is not current, accepted and inFlight are absent.',
    labelNames: ['kind'],
    registers: [registry],
    async collect() {
      this.reset()
      const known = await readKnownThrough(db).catch(() => undefined)
      const balance = await readBalance(db).catch(() => undefined)
      if (known === undefined || balance === undefined) return
      const isCurrent = balanceStatus(known) === 'current'
      for (const kind of kinds) if (isCurrent || !unknownWhenStale.has(kind)) this.set({ kind }, balance[kind])
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
