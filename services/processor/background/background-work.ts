import { createPool } from '@clicktally/database/pool.ts'
import { PeriodicTask } from '@clicktally/periodic/periodic-task.ts'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { createPartitionsAround } from '../store/click-partitions.ts'
import { CounterFolding } from './counter-folding.ts'
import { FoldMetrics } from './fold-metrics.ts'
import { HourPacking } from './packing/hour-packing.ts'

export interface BackgroundWorkOptions {
  readonly databaseUrl: string
  readonly registry: Registry
  readonly logger: Logger
}

export interface BackgroundWork {
  /** Aborts a fold and a packing in progress, waits for the other tasks, closes the connections. */
  close(): Promise<void>
}

/**
 * Starts the periodic work on the database that does not belong to any message: folding, rolling up and packing counters, packing
 * hours, folding the ledger, creating partitions. Any number of processes may run it; locks in the database let one at a time do each task.
 *
 * It needs only a database, with the rights of the role `clicktally_processor`.
 */
export function startBackgroundWork({ databaseUrl, registry, logger }: BackgroundWorkOptions): BackgroundWork {
  const limits = { url: databaseUrl, logger, maxConnections: 1 }
  const pool = createPool({ ...limits, name: 'processor background', statementTimeoutMs: 10_000 })
  // No request waits for a fold, and one of a long backlog may take more than a minute.
  const foldingPool = createPool({ ...limits, name: 'processor folding', statementTimeoutMs: 120_000 })
  const folding = new CounterFolding({ pool: foldingPool, metrics: new FoldMetrics(registry), logger })
  const packingPool = createPool({
    ...limits,
    name: 'processor packing',
    maxConnections: 2,
    statementTimeoutMs: 120_000,
  })
  const packing = new HourPacking({ pool: packingPool })
  const tasks = [
    new PeriodicTask({
      name: 'create partitions',
      logger,
      intervalMs: 3_600_000,
      retryAfterMs: 5_000,
      run: () => createPartitionsAround(pool, Date.now()),
    }),
    new PeriodicTask({
      name: 'fold the ledger',
      logger,
      intervalMs: 15_000,
      retryAfterMs: 15_000,
      run: () => pool.query(`select fold_ledger(interval '1 minute')`),
    }),
    new PeriodicTask({
      name: 'fold the counters',
      logger,
      // Every query reads the unfolded deltas, so they should be few. A longer interval merges more deltas per counter update.
      intervalMs: 3_000,
      retryAfterMs: 5_000,
      run: () => folding.fold(),
    }),
    new PeriodicTask({
      name: 'pack the hours that are over',
      logger,
      intervalMs: 5_000,
      retryAfterMs: 30_000,
      run: () => packing.pack(),
    }),
  ]
  for (const task of tasks) task.start()
  return {
    async close() {
      folding.close()
      packing.close()
      await Promise.all(tasks.map((task) => task.close()))
      await Promise.all([pool.end(), foldingPool.end(), packingPool.end()])
    },
  }
}
