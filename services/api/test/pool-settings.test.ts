import { createPool } from '@clicktally/database/pool.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'

test('a pool applies its settings to each connection', async () => {
  const { apiUrl } = await createTestDatabase()
  const settings = { max_parallel_workers_per_gather: '0', jit: 'off' }
  const limits = { name: 'test', logger: pino({ level: 'silent' }), maxConnections: 2, statementTimeoutMs: 5_000 }
  const pool = createPool({ ...limits, url: apiUrl, settings })
  onTestFinished(() => pool.end())
  const text = `select current_setting('max_parallel_workers_per_gather') as helpers, current_setting('jit') as jit`
  const answers = await Promise.all([pool.query(text), pool.query(text)])
  expect(answers.flatMap(({ rows }) => rows)).toEqual(Array(2).fill({ helpers: '0', jit: 'off' }))
})
