import { createPool } from '@clicktally/database/pool.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import { CounterFolding } from '../counter-folding.ts'

const logger = pino({ level: 'silent' })

/** Half a million additions: more than one fold takes, and more than are folded before the table is vacuumed. */
test('a backlog is folded whole, and what it took is freed meanwhile and at the end', async () => {
  const { ownerUrl, processorUrl } = await createTestDatabase()
  const limits = { name: 'test', logger, maxConnections: 1, statementTimeoutMs: 60_000 }
  const owner = createPool({ ...limits, url: ownerUrl })
  const pool = createPool({ ...limits, url: processorUrl })
  onTestFinished(async () => {
    await pool.end()
    await owner.end()
  })
  const addHalfAMillion = () =>
    owner.query(`
      insert into counter_deltas (project_id, target, minute, total, bots, visitors)
      select 1, target, date_trunc('minute', now()), 1, 0, '{}'
      from generate_series(1, 250000) cross join unnest(array['', 'button']) as target`)
  const folding = new CounterFolding(pool)
  await addHalfAMillion()
  const sizeOfAll = await bytes()
  await folding.fold()
  const { rows } = await owner.query('select target, total from minute_counters order by target')
  expect(rows).toEqual([
    { target: '', total: 250_000 },
    { target: 'button', total: 250_000 },
  ])
  expect(sizeOfAll).toBeGreaterThan(20_000_000)
  expect(await bytes()).toBeLessThan(100_000)
  // The server's statistics come a moment later.
  await vi.waitFor(async () => {
    const vacuums = await owner.query(`select vacuum_count from pg_stat_user_tables where relname = 'counter_deltas'`)
    expect(vacuums.rows[0].vacuum_count).toBeGreaterThanOrEqual(2)
  })

  // Whoever took these did not free their room.
  await addHalfAMillion()
  await owner.query('delete from counter_deltas')
  await folding.fold()
  expect(await bytes()).toBeLessThan(100_000)

  async function bytes(): Promise<number> {
    const size = await owner.query(`select pg_relation_size('counter_deltas') as bytes`)
    return size.rows[0].bytes
  }
}, 60_000)
