import { type Balance, readBalance } from '@clicktally/database/balance.ts'
import { type DatabaseHealth, readDatabaseHealth } from '@clicktally/database/database-health.ts'
import { type FoldBacklog, readFoldBacklog } from '@clicktally/database/fold-backlog.ts'
import { balanceStatus, type KnownThrough, readKnownThrough } from '@clicktally/database/known-through.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { CachedReading } from '@clicktally/telemetry/cached-reading.ts'
import type { Kysely } from 'kysely'
import { Gauge, type Registry } from 'prom-client'

interface Reading {
  readonly known: KnownThrough
  readonly balance: Balance
  readonly backlog: FoldBacklog
  readonly health: DatabaseHealth
}

/** A gauge that is read from the database. Its value is absent where the database does not know it. */
interface DatabaseGauge {
  readonly name: string
  readonly help: string
  readonly value: (reading: Reading) => number | null
}

/** The same with one label. */
interface LabelledGauge extends Omit<DatabaseGauge, 'value'> {
  readonly label: string
  readonly values: (reading: Reading) => readonly (readonly [string, number])[]
}

const balanceKinds = [
  'accepted',
  'counted',
  'duplicates',
  'dead',
  'discarded',
  'inFlight',
  'overdue',
] as const satisfies (keyof Balance)[]

/** Unknown while the balance is not current: a zero would look healthy. The others are counted from messages that have arrived. */
const unknownWhenStale: ReadonlySet<keyof Balance> = new Set(['accepted', 'inFlight'])

const gauges: readonly DatabaseGauge[] = [
  {
    name: 'clicktally_balance_known_through_timestamp_seconds',
    help: 'The asOf of answers: every click accepted before this time is counted and in the balance. Absent until a processor has reported.',
    value: ({ known }) => known.knownThrough && known.knownThrough.getTime() / 1_000,
  },
  {
    name: 'clicktally_unfolded_deltas',
    help: 'Deltas that are not folded into the counters yet, counted up to a million.',
    value: ({ backlog }) => backlog.unfolded,
  },
  {
    name: 'clicktally_fold_waiting_seconds',
    help: 'The longest that a delta may have been waiting to be folded into the counters. Above 60 indicates a problem.',
    value: ({ backlog }) => backlog.waitingSeconds,
  },
  {
    name: 'clicktally_deltas_set_aside',
    help: 'Deltas that could not be added to a counter. Queries read them directly, so counts are correct.',
    value: ({ backlog }) => backlog.setAside,
  },
  {
    name: 'clicktally_processors_reporting',
    help: 'Processors that have reported to the database within the last 10 s.',
    value: ({ health }) => health.processorsReporting,
  },
  {
    name: 'clicktally_click_partitions_ahead',
    help: 'Days after today for whose clicks a partition exists.',
    value: ({ health }) => health.partitionsAhead,
  },
  {
    name: 'clicktally_database_size_bytes',
    help: 'Size of the database on disk.',
    value: ({ health }) => health.sizeBytes,
  },
  {
    name: 'clicktally_database_connections',
    help: 'Connections to the database, of all services and people.',
    value: ({ health }) => health.connections,
  },
  {
    name: 'clicktally_database_connections_max',
    help: 'Limit of connections to the database server.',
    value: ({ health }) => health.maxConnections,
  },
  {
    name: 'clicktally_database_standbys',
    help: 'Standbys that stream from the database now.',
    value: ({ health }) => health.standbys,
  },
  {
    name: 'clicktally_database_synchronous',
    help: '1 if a commit waits until a standby has it on disk. With standbys and 0, a failover may lose counted clicks.',
    value: ({ health }) => (health.isSynchronous ? 1 : 0),
  },
]

const labelledGauges: readonly LabelledGauge[] = [
  {
    name: 'clicktally_balance_clicks',
    help: 'Clicks since the beginning, from the ledger: accepted = counted + duplicates + dead + discarded + inFlight. While the balance is not current, accepted and inFlight are absent.',
    label: 'kind',
    values({ known, balance }) {
      const isCurrent = balanceStatus(known) === 'current'
      return balanceKinds
        .filter((kind) => isCurrent || !unknownWhenStale.has(kind))
        .map((kind) => [kind, balance[kind]] as const)
    },
  },
  {
    name: 'clicktally_rolled_up_through_timestamp_seconds',
    help: 'Counters before this time are rolled up into buckets of this width.',
    label: 'bucket',
    values: ({ health }) => [
      ['hour', health.hoursBefore.getTime() / 1_000],
      ['day', health.daysBefore.getTime() / 1_000],
      ['month', health.monthsBefore.getTime() / 1_000],
    ],
  },
  {
    name: 'clicktally_dead_rows',
    help: 'Rows that wait for a vacuum, of the tables that change most.',
    label: 'table',
    values: ({ health }) => health.busyTables.map(({ table, deadRows }) => [table, deadRows] as const),
  },
]

/**
 * Exports what only the databases know, of each cell: the balance, how fresh the counts are, the folds, partitions, connections. Read at
 * a scrape, once for all. While a database is unavailable, clicktally_database_up is 0 and its others are absent.
 *
 * @param databases by the name of their cell
 */
export function exportDatabaseMetrics(databases: ReadonlyMap<string, Kysely<Tables>>, registry: Registry): void {
  const registers = [registry]
  const readings = new Map(Array.from(databases, ([cell, db]) => [cell, readingOf(db)] as const))
  /** Of all databases at the same time, so that one that hangs does not hold up the others. */
  const readAll = () =>
    Promise.all(Array.from(readings, async ([cell, reading]) => ({ cell, read: await reading.get() })))
  new Gauge({
    name: 'clicktally_database_up',
    help: '1 if the api could read these metrics from the database of this cell within 2 s.',
    labelNames: ['cell'],
    registers,
    async collect() {
      for (const { cell, read } of await readAll()) this.set({ cell }, read === undefined ? 0 : 1)
    },
  })
  for (const { name, help, value } of gauges) {
    new Gauge({
      name,
      help,
      labelNames: ['cell'],
      registers,
      async collect() {
        const all = await readAll()
        this.reset()
        for (const { cell, read } of all) {
          const known = read && value(read)
          if (known != null) this.set({ cell }, known)
        }
      },
    })
  }
  for (const { name, help, label, values } of labelledGauges) {
    new Gauge({
      name,
      help,
      labelNames: [label, 'cell'],
      registers,
      async collect() {
        const all = await readAll()
        this.reset()
        for (const { cell, read } of all) {
          for (const [each, known] of read ? values(read) : []) this.set({ [label]: each, cell }, known)
        }
      },
    })
  }
}

function readingOf(db: Kysely<Tables>): CachedReading<Reading> {
  return new CachedReading(async () => {
    // Before the balance, so that the balance covers at least that time.
    const known = await readKnownThrough(db)
    const balance = await readBalance(db)
    return { known, balance, backlog: await readFoldBacklog(db), health: await readDatabaseHealth(db) }
  })
}
