import type { Pool } from 'pg'
import { expect, test } from 'vitest'
import { createEmptyDatabase } from './empty-database.ts'

/** Rolls up everything that is complete at this time. */
async function rollUp(pool: Pool, moment: string): Promise<void> {
  for (let read = 1; read > 0; ) {
    const { rows } = await pool.query<{ read: string }>('select roll_up_counters_at($1, 20000) as read', [moment])
    read = Number(rows[0]?.read)
  }
}

test('existing counters become minute counters, with a sum over all targets', async () => {
  const { pool, migrateTo, migrate } = await createEmptyDatabase()
  await migrateTo('0002-ledger-and-dead-letters')
  await pool.query(`insert into counters (project_id, target, minute, total, bots, visitors) values
    (1, 'a', '2026-03-01T10:00Z', 3, 1, '{1,5}'), (1, 'b', '2026-03-01T10:00Z', 2, 0, '{2,5}'),
    (1, 'a', '2026-04-02T11:30Z', 1, 0, '{}'), (2, 'a', '2026-04-02T11:30Z', 0, 4, '{}')`)
  const { rows: before } = await pool.query('select * from counters order by project_id, minute, target')
  await migrate()
  const { rows: after } = await pool.query('select * from counters order by project_id, minute, target')
  expect(after).toEqual(before)
  const { rows: together } = await pool.query(
    `select project_id, minute, total, bots, visitors from minute_counters where target = '' order by 1, 2`,
  )
  expect(together).toEqual([
    { project_id: 1, minute: new Date('2026-03-01T10:00Z'), total: 5, bots: 1, visitors: [1, 2, 5] },
    { project_id: 1, minute: new Date('2026-04-02T11:30Z'), total: 1, bots: 0, visitors: [] },
    { project_id: 2, minute: new Date('2026-04-02T11:30Z'), total: 0, bots: 4, visitors: [] },
  ])

  // Roll-ups treat them like new minutes.
  await rollUp(pool, '2026-05-01T00:05Z')
  const { rows: months } = await pool.query(
    'select project_id, month, target, total, bots from month_counters order by 1, 2, 3',
  )
  const [march, april] = [new Date('2026-03-01T00:00Z'), new Date('2026-04-01T00:00Z')]
  expect(months).toEqual([
    { project_id: 1, month: march, target: '', total: 5, bots: 1 },
    { project_id: 1, month: march, target: 'a', total: 3, bots: 1 },
    { project_id: 1, month: march, target: 'b', total: 2, bots: 0 },
    { project_id: 1, month: april, target: '', total: 1, bots: 0 },
    { project_id: 1, month: april, target: 'a', total: 1, bots: 0 },
    { project_id: 2, month: april, target: '', total: 0, bots: 4 },
    { project_id: 2, month: april, target: 'a', total: 0, bots: 4 },
  ])
})

test('the horizon of a new database is the current hour, and older deltas are folded as late ones', async () => {
  const { pool, migrate } = await createEmptyDatabase()
  await migrate()
  const { rows } = await pool.query(
    `select hours_before > now() - interval '61 minutes' as is_now, days_before <= hours_before as is_ordered from rollup_horizon`,
  )
  expect(rows).toEqual([{ is_now: true, is_ordered: true }])
  await pool.query(
    `insert into counter_deltas
     select 1, target, '2020-02-29T23:59Z', 1, 0, visitors
     from unnest(array['', 'a']) as target, (values ('{7}'::int[]), ('{7,8}')) as delta (visitors)`,
  )
  await pool.query('select fold_counters()')
  for (const table of ['minute_counters', 'hour_counters', 'day_counters', 'month_counters']) {
    const { rows } = await pool.query(`select target, total::int, bots::int, visitors from ${table} order by target`)
    const figures = { total: 2, bots: 0, visitors: [7, 8] }
    expect([table, rows]).toEqual([
      table,
      [
        { target: '', ...figures },
        { target: 'a', ...figures },
      ],
    ])
  }
})

test('the sketch of a counter has the smallest hashes of all its deltas, without duplicates', async () => {
  const { pool, migrate } = await createEmptyDatabase()
  await migrate()
  // Twice: first the counters are inserted, then updated. Long and short sketches, some of which overlap.
  for (const turn of [0, 1]) {
    await pool.query(
      `insert into counter_deltas
       select 1, target, '2020-02-29T23:59Z', 1, 0, visitor_sketch_merge('{}', array(
         select visitor_hash(1, (hash % 9000 + each * 700 + $1)::text)
         from generate_series(1, case target when 'many' then 3000 else each % 3 end) as hash))
       from unnest(array['few', 'many']) as target, generate_series(1, 40) as each`,
      [turn * 50_000],
    )
    const { rows: expected } = await pool.query(
      `select target, sum(total)::int as total, array(
         select distinct hash
         from (
           select visitors from counter_deltas where target = delta.target
           union all select visitors from minute_counters where target = delta.target
         ) as part, unnest(visitors) as hash
         order by hash limit 2048) as visitors
       from counter_deltas as delta group by target order by target`,
    )
    await pool.query('select fold_counters()')
    for (const table of ['minute_counters', 'hour_counters', 'day_counters', 'month_counters']) {
      const { rows } = await pool.query(
        `select target, total::int - $1::int as total, visitors from ${table} order by target`,
        [turn * 40],
      )
      expect([table, rows]).toEqual([table, expected])
    }
  }
})

test('bounded folds continue at the horizon of earlier folds and set aside a delta that had blocked them', async () => {
  const { pool, migrateTo, migrate } = await createEmptyDatabase()
  await migrateTo('0003-counter-deltas')
  await pool.query(`update rollup_horizon set
    hours_before = '2026-03-02T00:00Z', days_before = '2026-03-01T00:00Z', months_before = '2026-03-01T00:00Z'`)
  await pool.query(`insert into hour_counters (project_id, hour, target, total, bots, visitors)
    select 1, '2026-03-01T10:00Z'::timestamptz + each * interval '1 hour', target, 1, 0, '{}'
    from generate_series(0, 3) as each, unnest(array['', 'a']) as target`)
  const long = Array.from({ length: 900 }, (_, each) => String.fromCodePoint(0x1f300 + ((each * 7) % 1000))).join('')
  await pool.query(
    `insert into counter_deltas (project_id, target, minute, total, bots, visitors)
     select 1, target, '2026-03-01T10:00Z', 1, 0, '{}' from unnest(array['', 'a', $1]) as target`,
    [long],
  )

  await migrate()
  for (let call = 0; call < 6; call += 1) await pool.query('select fold_counters()')
  for (let part = 0; part < 6; part += 1) await pool.query(`select roll_up_counters_at('2026-03-03T00:00Z', 4)`)
  const { rows } = await pool.query('select target, total::int from day_counters order by target')
  expect(rows).toEqual([
    { target: '', total: 5 },
    { target: 'a', total: 5 },
  ])
  expect((await pool.query('select target from counter_deltas')).rows).toEqual([{ target: long }])
})
