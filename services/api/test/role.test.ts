import { createPool } from '@clicktally/database/pool.ts'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { createApi } from './api-under-test.ts'

const insufficientPrivilege = '42501'

test('the role of the api can read every column of a click but the visitor', async () => {
  const { owner, apiUrl } = await createApi()
  const logger = pino({ level: 'silent' })
  const pool = createPool({ url: apiUrl, name: 'test', logger, maxConnections: 1, statementTimeoutMs: 60_000 })
  onTestFinished(() => pool.end())
  const hidden = 'visitor_id'
  const { rows } = await owner.query<{ name: string }>(
    `select attname as name from pg_attribute where attrelid = 'clicks'::regclass and attnum > 0 and not attisdropped`,
  )
  expect(rows.map(({ name }) => name)).toContain(hidden)
  for (const { name } of rows) {
    const read = pool.query(`select "${name}" from clicks`)
    if (name !== hidden) await read
    else await expect(read, name).rejects.toMatchObject({ code: insufficientPrivilege })
  }
  // Breakdowns read a view that has a hash in place of the visitor.
  const view = await pool.query('select * from attributed_clicks limit 0')
  expect(view.fields.map(({ name }) => name)).toEqual([
    'project_id',
    'occurred_at',
    'bot',
    'visitor',
    'target',
    'url',
    'referrer',
    'country',
    'agent',
    'props',
  ])
  const hash = await owner.query(`select atttypid::regtype::text as type from pg_attribute
    where attrelid = 'attributed_clicks'::regclass and attname = 'visitor'`)
  expect(hash.rows).toEqual([{ type: 'integer' }])
  // Reading the partitions directly is refused too, because they grant no rights.
  await owner.query('select create_click_partition(current_date)')
  const partitions = await owner.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'clicks'::regclass`,
  )
  expect(partitions.rows.length).toBeGreaterThan(0)
  for (const { name } of partitions.rows) {
    await expect(pool.query(`select id from ${name}`), name).rejects.toMatchObject({ code: insufficientPrivilege })
  }
})

test('the role of the api gets no visitors with keys of its own making', async () => {
  const { apiUrl } = await createApi()
  const logger = pino({ level: 'silent' })
  const pool = createPool({ url: apiUrl, name: 'test', logger, maxConnections: 1, statementTimeoutMs: 60_000 })
  onTestFinished(() => pool.end())
  await pool.query(`create temporary table keys as
    select 'owner' as role, sha256('forged') as hash, null::timestamptz as revoked_at, null::timestamptz as expires_at`)
  await pool.query('grant select on pg_temp.keys to public')
  await expect(pool.query(`select * from click_visitors('forged', 1, '{}')`)).rejects.toMatchObject({
    code: insufficientPrivilege,
  })
})
