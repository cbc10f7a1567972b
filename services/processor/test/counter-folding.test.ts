import { createDatabase } from '@clicktally/database/connection.ts'
import { readFoldBacklog } from '@clicktally/database/fold-backlog.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import { CounterFolding } from '../background/counter-folding.ts'

const logger = pino({ level: 'silent' })

async function createFolding() {
  const { ownerUrl, processorUrl } = await createTestDatabase()
  const limits = { name: 'test', logger, maxConnections: 1, statementTimeoutMs: 60_000 }
  const owner = createPool({ ...limits, url: ownerUrl })
  const pool = createPool({ ...limits, url: processorUrl })
  onTestFinished(async () => {
    await pool.end()
    await owner.end()
  })
  const failures: string[] = []
  const metrics = { foldFailed: (outcome: string) => void failures.push(outcome) }
  return { owner, failures, folding: new CounterFolding({ pool, metrics, logger }) }
}

/** Half a million additions: more than one fold takes, and more than are folded before the table is vacuumed. */
test('a backlog is folded completely, and its space is freed meanwhile and at the end', async () => {
  const { owner, folding } = await createFolding()
  const addHalfAMillion = () =>
    owner.query(`
      insert into counter_deltas (project_id, target, minute, total, bots, visitors)
      select 1, target, date_trunc('minute', now()), 1, 0, '{}'
      from generate_series(1, 250000) cross join unnest(array['', 'button']) as target`)
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
  }, patience)

  // Whoever took these did not free their room. A vacuum cannot free it while a concurrent ANALYZE has a snapshot: the next does.
  await addHalfAMillion()
  await owner.query('delete from counter_deltas')
  await vi.waitFor(async () => {
    await folding.fold()
    expect(await bytes()).toBeLessThan(100_000)
  }, patience)

  async function bytes(): Promise<number> {
    const size = await owner.query(`select pg_relation_size('counter_deltas') as bytes`)
    return size.rows[0].bytes
  }
})

test('a delta that cannot be added to a counter is set aside, and does not stop the others', async () => {
  const { owner, folding, failures } = await createFolding()
  const minute = new Date(Math.floor(Date.now() / 60_000) * 60_000)
  const add = (target: string, total: number, targets = 1) =>
    owner.query(
      `insert into counter_deltas (project_id, target, minute, total, bots, visitors)
       select 1, $1 || case when $4 = 1 then '' else each::text end, $2, $3, 0, '{}' from generate_series(1, $4) as each`,
      [target, minute, total, targets],
    )
  const backlog = () => readFoldBacklog(createDatabase(owner))
  await add('neighbour ', 1, 30)
  // More than an int holds.
  await add('full', 2_147_483_647)
  await add('full', 5)
  await add('neighbour ', 1, 3_000)
  // As it was before the table refused it: longer than an entry of an index may be.
  await owner.query('alter table counter_deltas drop constraint counter_deltas_foldable')
  const long = Array.from({ length: 600 }, (_, each) => String.fromCodePoint(0x1f300 + each))
    .join('')
    .repeat(3)
  await add(long, 7)
  await add('neighbour ', 1, 3_000)
  await folding.fold()

  const counted = async (table: string) =>
    (await owner.query(`select count(*)::int as rows, sum(total)::bigint as total from ${table}`)).rows[0]
  const { rows: left } = await owner.query('select target, total from counter_deltas order by total')
  expect(left).toEqual([
    { target: 'full', total: 5 },
    { target: long, total: 7 },
  ])
  expect(await counted('counters')).toMatchObject({ total: 2_147_483_652 + 6_030 + 7 })
  expect(await backlog()).toMatchObject({ waitingSeconds: 0, setAside: 2 })
  expect(failures).toEqual(['set_aside', 'set_aside'])

  // Made right, it is folded when its time has come.
  await owner.query(`update minute_counters set total = 0 where target = 'full'`)
  await owner.query(`update counter_deltas set target = 'short', set_aside_until = now() - interval '1 second'`)
  await folding.fold()
  expect(await counted('counter_deltas')).toMatchObject({ rows: 0 })
  expect(await backlog()).toMatchObject({ waitingSeconds: 0, setAside: 0 })
})

test('the table of deltas rejects deltas that no counter could store', async () => {
  const { owner } = await createFolding()
  const good = { target: 'a', minute: '2026-03-01T10:00Z', total: 1, bots: 0, visitors: [1] }
  const insert = (changes: object) => {
    const { target, minute, total, bots, visitors } = { ...good, ...changes }
    return owner.query('insert into counter_deltas values (1, $1, $2, $3, $4, $5)', [
      target,
      minute,
      total,
      bots,
      visitors,
    ])
  }
  await insert({})
  // The longest that a click may have: 256 characters of four bytes.
  await insert({ target: '\u{1f300}'.repeat(256) })
  for (const bad of [
    { target: 'é'.repeat(513) },
    { total: -1 },
    { bots: -1 },
    { minute: 'infinity' },
    { visitors: Array.from({ length: 2_049 }, (_, each) => each) },
  ]) {
    await expect(insert(bad), JSON.stringify(bad).slice(0, 60)).rejects.toMatchObject({
      constraint: 'counter_deltas_foldable',
    })
  }
})

test('a huge day is rolled up completely, in short steps, while deltas are folded', async () => {
  const { owner, folding } = await createFolding()
  const day = '2026-03-01T00:00Z'
  await owner.query(
    `update rollup_horizon set hours_before = $1::timestamptz + interval '1 day', days_before = $1, months_before = $1`,
    [day],
  )
  await owner.query(
    `insert into hour_counters (hour, project_id, total, bots, target, visitors)
     select $1::timestamptz + each % 24 * interval '1 hour', 1 + each % 3, 1, 2, 'target ' || each / 2, array[each]
     from generate_series(0, 99999) as each`,
    [day],
  )
  // Of targets that are done by then and of others, some of them new: each is folded at once, between two steps.
  let late = 0
  for (;;) {
    await owner.query(
      `insert into counter_deltas (project_id, target, minute, total, bots, visitors)
       select 1 + each % 3, 'target ' || each * 12345 % 70000, $1::timestamptz + interval '90 minutes', 10, 0, '{}'
       from generate_series($2::int, $2::int + 8) as each`,
      [day, late],
    )
    late += 9
    await owner.query('select fold_counters()')
    const { rows } = await owner.query(
      `select roll_up_counters_at('2026-03-02T00:05Z', 5000) as read, days_before from rollup_horizon`,
    )
    expect(rows[0].read).toBeLessThanOrEqual(5_000)
    if (rows[0].read === 0) break
  }
  expect(late / 9).toBeGreaterThan(20)
  await folding.fold()
  const { rows: differences } = await owner.query(
    `with truth as (
       select project_id, target, sum(total)::bigint as total, sum(bots)::bigint as bots, array_agg(distinct hash) as visitors
       from hour_counters left join lateral unnest(visitors) as hash on true group by 1, 2
     )
     select * from day_counters full join truth using (project_id, target)
     where (day_counters.total, day_counters.bots) is distinct from (truth.total, truth.bots)`,
  )
  expect(differences).toEqual([])
  const { rows } = await owner.query(
    `select sum(total)::int as total, sum(bots)::int as bots, bool_and(day = $1) as same_day from day_counters`,
    [day],
  )
  expect(rows).toEqual([{ total: 100_000 + 10 * late, bots: 200_000, same_day: true }])
})

test('only the owner can block the folds', async () => {
  const { owner, folding } = await createFolding()
  const { rows } = await owner.query(
    `select role, right_to from unnest(array['clicktally_processor', 'clicktally_api', 'clicktally_operator']) as role,
       unnest(array['update', 'delete', 'truncate', 'maintain']) as right_to
     where has_table_privilege(role, 'rollup_horizon', right_to)
     union all
     select role, 'hold_counters' from unnest(array['clicktally_processor', 'clicktally_api']) as role
     where has_function_privilege(role, 'hold_counters()', 'execute')`,
  )
  expect(rows).toEqual([])
  // Any role may take an advisory lock; this one was the folds'.
  await owner.query(`select pg_advisory_lock(hashtext('fold_counters'))`)
  await owner.query(`insert into counter_deltas values (1, 'a', date_trunc('minute', now()), 1, 0, '{}')`)
  await folding.fold()
  expect((await owner.query('select from counter_deltas')).rowCount).toBe(0)
})
