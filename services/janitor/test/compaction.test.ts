import { createPool } from '@clicktally/database/pool.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { shrinkCounters } from '../compaction/counter-tables.ts'
import { compactKeys } from '../compaction/key-compaction.ts'

const logger = pino({ level: 'silent' })
const dayMs = 86_400_000

async function createCompaction() {
  const { ownerUrl, janitorUrl, processorUrl } = await createTestDatabase()
  const limits = { name: 'test', logger, maxConnections: 2, statementTimeoutMs: 60_000 }
  const [owner, janitor, processor] = [ownerUrl, janitorUrl, processorUrl].map((url) => createPool({ ...limits, url }))
  if (!owner || !janitor || !processor) throw new Error('a pool is missing')
  onTestFinished(() => Promise.all([owner.end(), janitor.end(), processor.end()]).then(() => {}))
  const ask = async <Row extends object>(text: string, values: unknown[] = []) =>
    (await owner.query<Row>(text, values)).rows
  return {
    ...{ owner, ask },
    /** What the janitor does with its connection. */
    async run<Result>(act: (client: Parameters<typeof compactKeys>[0]) => Promise<Result>): Promise<Result> {
      const client = await janitor.connect()
      try {
        return await act(client)
      } finally {
        client.release(true)
      }
    },
    /** Adds clicks of a day, and returns the name of their key. */
    async addDay(daysAgo: number): Promise<string> {
      const startMs = Math.floor(Date.now() / dayMs - daysAgo) * dayMs
      const day = new Date(startMs).toISOString().slice(0, 10)
      await processor.query('select create_click_partition($1)', [day])
      // In random order, from which a key suffers most.
      await ask(
        `insert into clicks (id, project_id, occurred_at, received_at, bot, target)
         select uuidv7(make_interval(secs => random() * 80000) + ($1::timestamptz - now())), 1, $1, $1, false, 'a'
         from generate_series(1, 20000)`,
        [new Date(startMs + 600_000)],
      )
      await ask('analyze clicks')
      return `clicks_${day.replaceAll('-', '')}_pkey`
    },
    bytes: async (table: string) =>
      (await ask<{ n: number }>('select pg_total_relation_size($1::regclass) as n', [table]))[0]?.n ?? 0,
    indexes: async () =>
      (
        await ask<{ name: string }>(
          `select relname as name from pg_class where relname ~ '^clicks_\\d+_pkey' order by 1`,
        )
      ).map(({ name }) => name),
  }
}

const options = { logger, signal: new AbortController().signal, minBytes: 100_000 }

test('keys of past days are made anew, once, while others write', async () => {
  const { owner, ask, run, addDay, bytes, indexes } = await createCompaction()
  const [past, present] = [await addDay(3), await addDay(0)]
  const before = await bytes(past)
  let isOver = false
  const writing = (async () => {
    while (!isOver)
      await ask(
        `insert into clicks (id, project_id, occurred_at, received_at, bot, target)
         select uuidv7(interval '-3 days'), 1, now(), now(), false, 'late' on conflict do nothing`,
      )
  })()
  expect(await run((client) => compactKeys(client, options))).toEqual([past])
  isOver = true
  await writing
  expect(await bytes(past)).toBeLessThan(0.85 * before)
  expect(await run((client) => compactKeys(client, options))).toEqual([])
  expect(await indexes()).toEqual([past, present].sort())
  const [counted] = await ask<{ clicks: number; ids: number }>(
    'select count(*)::int as clicks, count(distinct id)::int as ids from clicks',
  )
  expect(counted?.clicks).toBe(counted?.ids)
  await expect(owner.query(`insert into clicks select * from clicks where target = 'a' limit 1`)).rejects.toMatchObject(
    {
      code: '23505',
    },
  )
})

test('pages of keys are filled when late clicks can no longer come, and made anew when a backfill has split them', async () => {
  const { ask, run, addDay, bytes } = await createCompaction()
  const [recent, old] = [await addDay(3), await addDay(7)]
  expect(await run((client) => compactKeys(client, options))).toEqual([old, recent].sort())
  const filled = await bytes(old)
  expect(filled).toBeLessThan(0.93 * (await bytes(recent)))
  expect(await run((client) => compactKeys(client, options))).toEqual([])
  await ask(
    `insert into clicks (id, project_id, occurred_at, received_at, bot, target)
     select uuidv7(make_interval(secs => n * 40) - interval '7 days' + (date_trunc('day', now(), 'UTC') - now())), 1, now(), now(), false, 'b'
     from generate_series(1, 2000) n`,
  )
  await ask('analyze clicks')
  expect(await bytes(old)).toBeGreaterThan(1.5 * filled)
  expect(await run((client) => compactKeys(client, options))).toEqual([old])
  expect(await bytes(old)).toBeLessThan(1.15 * filled)
  await expect(run((client) => client.query(`select fill_key('projects')`))).rejects.toThrow('no rows')
})

test('nothing is made anew while somebody reads for long, such as a backup', async () => {
  const { owner, ask, run, addDay, indexes } = await createCompaction()
  const keys = [await addDay(3), await addDay(4)].sort()
  const backup = await owner.connect()
  await backup.query(
    'begin isolation level repeatable read; set local idle_in_transaction_session_timeout = 0; select from clicks limit 1',
  )
  expect(await run((client) => compactKeys(client, { ...options, patienceMs: 0 }))).toEqual([])
  expect(await indexes()).toEqual(keys)
  const compacting = run((client) => compactKeys(client, options))
  await expect
    .poll(() =>
      ask(
        `select from pg_stat_activity
         where datname = current_database() and usename = 'clicktally_janitor' and query like '%backend_xmin%'`,
      ),
    )
    .toHaveLength(1)
  expect(await indexes()).toEqual(keys)
  backup.release(true)
  expect(await compacting).toEqual(keys)
})

test('what an interrupted compaction leaves behind is removed by the next', async () => {
  const { owner, ask, run, addDay, indexes } = await createCompaction()
  const key = await addDay(3)
  // It waits for this transaction.
  const reader = await owner.connect()
  await reader.query('begin; set local idle_in_transaction_session_timeout = 0; select from clicks limit 1')
  const compacting = run((client) => compactKeys(client, options)).catch((error: unknown) => error)
  while ((await indexes()).length < 2) await new Promise(setImmediate)
  await ask(
    `select pg_terminate_backend(pid) from pg_stat_activity where query like 'reindex%' and datname = current_database()`,
  )
  expect(await compacting).toBeInstanceOf(Error)
  reader.release(true)
  // Either the new index, or the old one if they have changed places already; then the key is compact.
  const left = await indexes()
  expect(left).toEqual([key, expect.stringMatching(/_cc(new|old)$/)])
  const isCompact = left[1]?.endsWith('old') === true
  expect(await run((client) => compactKeys(client, options))).toEqual(isCompact ? [] : [key])
  expect(await indexes()).toEqual([key])
})

test('the space of packed minutes is returned, unless somebody reads the table or many rows are left', async () => {
  const { owner, ask, run, bytes } = await createCompaction()
  await ask('alter table minute_counters set (autovacuum_enabled = false)')
  const add = (rows: number) =>
    ask(
      `insert into minute_counters (project_id, minute, target, total, bots, visitors)
       select 1, now(), 'target ' || n, 1, 0, '{}' from generate_series(1, $1) n on conflict do nothing`,
      [rows],
    )
  await add(210_000)
  const full = await bytes('minute_counters')
  const shrink = () => run((client) => shrinkCounters(client, 1024 * 1024))
  expect(await shrink()).toEqual([])
  await ask(`delete from minute_counters where target <> 'target 7'`)
  const reader = await owner.connect()
  await reader.query(
    'begin; set local idle_in_transaction_session_timeout = 0; lock table minute_counters in access share mode',
  )
  expect(await shrink()).toEqual([])
  expect(await bytes('minute_counters')).toBeGreaterThan(0.9 * full)
  reader.release(true)
  // Not at once if PostgreSQL analyzes another table at that moment, and could still see the deleted rows.
  const rewritten = new Set<string>()
  await expect
    .poll(async () => {
      for (const table of await shrink()) rewritten.add(table)
      return await bytes('minute_counters')
    })
    .toBeLessThan(100_000)
  expect([...rewritten]).toEqual(['minute_counters'])
  expect(await ask('select target from minute_counters')).toEqual([{ target: 'target 7' }])
  expect(await shrink()).toEqual([])
})

test('the space of sketches that late clicks have changed often is returned', async () => {
  const { ask, run, bytes } = await createCompaction()
  await ask('alter table day_counters set (autovacuum_enabled = false, toast.autovacuum_enabled = false)')
  await ask(
    `insert into day_counters (project_id, day, target, total, bots, visitors)
     select 1, '2026-01-01', 'target ' || n, 2000, 0, array(select i * 1000 + n from generate_series(1, 2000) i) from generate_series(1, 100) n`,
  )
  await ask('vacuum day_counters')
  const before = await bytes('day_counters')
  const shrink = () => run((client) => shrinkCounters(client, 100_000))
  expect(await shrink()).toEqual([])
  for (let late = 0; late < 5; late += 1)
    await ask('update day_counters set total = total + 1, visitors = visitors || 2147483647')
  expect(await bytes('day_counters')).toBeGreaterThan(4 * before)
  const rewritten = new Set<string>()
  await expect
    .poll(async () => {
      await ask('vacuum day_counters')
      for (const table of await shrink()) rewritten.add(table)
      return await bytes('day_counters')
    })
    .toBeLessThan(1.3 * before)
  expect([...rewritten]).toEqual(['day_counters'])
  expect(await ask('select count(*)::int as n, sum(total)::int as total from day_counters')).toEqual([
    { n: 100, total: 200_500 },
  ])
  expect(await shrink()).toEqual([])
})

test('keys of counters are made anew when folds have split their pages', async () => {
  const { ask, run, bytes } = await createCompaction()
  await ask(
    `insert into hour_counters (project_id, hour, target, total, bots, visitors)
     select 1, timestamptz '2026-01-01' + n % 24 * interval '1 hour', 'target ' || md5(n::text), 1, 0, '{}' from generate_series(1, 48000) n`,
  )
  await ask('vacuum analyze hour_counters')
  const before = await bytes('hour_counters_pkey')
  expect(await run((client) => compactKeys(client, options))).toEqual(['hour_counters_pkey'])
  expect(await bytes('hour_counters_pkey')).toBeLessThan(0.8 * before)
  expect(await run((client) => compactKeys(client, options))).toEqual([])
})
