import { createPool } from '@clicktally/database/pool.ts'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { createApi } from './api-under-test.ts'

const insufficientPrivilege = '42501'

test('the role of the api reads of a click what a receipt shows, and nothing about its visitor', async () => {
  const { owner, apiUrl } = await createApi()
  const logger = pino({ level: 'silent' })
  const pool = createPool({ url: apiUrl, name: 'test', logger, maxConnections: 1, statementTimeoutMs: 60_000 })
  onTestFinished(() => pool.end())
  const shown = ['id', 'project_id', 'target', 'occurred_at', 'received_at', 'counted_at']
  const { rows } = await owner.query<{ name: string }>(
    `select attname as name from pg_attribute where attrelid = 'clicks'::regclass and attnum > 0 and not attisdropped`,
  )
  expect(rows.map(({ name }) => name)).toEqual(
    expect.arrayContaining([...shown, 'visitor_id', 'url', 'referrer', 'props']),
  )
  for (const { name } of rows) {
    const read = pool.query(`select "${name}" from clicks`)
    if (shown.includes(name)) await read
    else await expect(read, name).rejects.toMatchObject({ code: insufficientPrivilege })
  }
  // Nor past the table: the partitions have no rights of their own.
  await owner.query('select create_click_partition(current_date)')
  const partitions = await owner.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'clicks'::regclass`,
  )
  expect(partitions.rows.length).toBeGreaterThan(0)
  for (const { name } of partitions.rows) {
    await expect(pool.query(`select id from ${name}`), name).rejects.toMatchObject({ code: insufficientPrivilege })
  }
})
