import { createPool } from '@clicktally/database/pool.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startBackgroundWork } from '../background/background-work.ts'

const logger = pino({ level: 'silent' })

test('background work needs only a database: it creates partitions and folds counters until it is closed', async () => {
  const { ownerUrl, processorUrl } = await createTestDatabase()
  const owner = createPool({ url: ownerUrl, name: 'test', logger, maxConnections: 1, statementTimeoutMs: 10_000 })
  onTestFinished(() => owner.end())
  await owner.query(`insert into counter_deltas (project_id, target, minute, total, bots, visitors)
    values (1, 'button', date_trunc('minute', now()), 1, 0, '{}')`)
  const registry = new Registry()
  const work = startBackgroundWork({ databaseUrl: processorUrl, registry, logger })
  try {
    await vi.waitFor(async () => {
      const { rows } = await owner.query(`
        select (select count(*)::int from counter_deltas) as deltas, (select sum(total)::int from minute_counters) as folded,
          (select count(*)::int from pg_inherits where inhparent = 'clicks'::regclass) as partitions`)
      expect(rows).toEqual([{ deltas: 0, folded: 1, partitions: 11 }])
    }, patience)
  } finally {
    await work.close()
  }
  expect(await registry.metrics()).toContain('clicktally_fold_failures_total{outcome="failed"} 0')
  // A server process ends a moment after its client has closed the connection.
  await vi.waitFor(async () => {
    const { rows } = await owner.query(
      `select count(*)::int as connections from pg_stat_activity where datname = current_database() and usename = 'clicktally_processor'`,
    )
    expect(rows).toEqual([{ connections: 0 }])
  }, patience)
})
