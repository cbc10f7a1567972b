import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import { expect, test, vi } from 'vitest'
import { createEmptyDatabase } from './empty-database.ts'

/** Every function and aggregate with its definition and its privileges. */
async function functionsOf(pool: Pool): Promise<unknown[]> {
  const { rows } = await pool.query(`
    select oid::regprocedure::text as signature,
      case when prokind = 'a'
        then (select aggtransfn::text from pg_aggregate where aggfnoid = pg_proc.oid)
        else pg_get_functiondef(oid) end as definition,
      array(select privilege::text from unnest(proacl) as privilege order by 1) as privileges
    from pg_proc where pronamespace = 'public'::regnamespace order by 1`)
  return rows
}

async function freshFunctions(): Promise<unknown[]> {
  const { pool, migrate } = await createEmptyDatabase()
  await migrate()
  return functionsOf(pool)
}

/** The functions that releases with migrations up to 0003 had, as far as a later migration drops or replaces them. */
const earlierFunctions = `
  create function visitor_hash(project_id int, visitor_id text) returns int language sql return 0;
  create function visitor_sketch_merge(a int[], b int[]) returns int[] language sql return a;
  create aggregate visitor_sketch_union (int[]) (sfunc = visitor_sketch_merge, stype = int[]);
  create function visitor_hashes_add(hashes int[], added int[]) returns int[] language sql return hashes;
  create aggregate visitor_hashes (int[]) (sfunc = visitor_hashes_add, stype = int[]);
  create function visitor_sketch_add(kept int[], kept_below int, added int[]) returns int[]
    language sql return visitor_sketch_merge(kept, added);
  create function create_click_partition(day date) returns void language plpgsql as $$ begin end $$;
  create function fold_ledger(older_than interval) returns void language plpgsql as $$ begin end $$;
  create function fold_counters_at(moment timestamptz) returns bigint language plpgsql as $$ begin return 0; end $$;
  create function fold_counters() returns bigint language sql return fold_counters_at(clock_timestamp());`

test('a database with the schema and functions of an early release ends with the functions of a new one', async () => {
  const { pool, migrateTo, migrate } = await createEmptyDatabase()
  await migrateTo('0003-counter-deltas')
  await pool.query(earlierFunctions)
  await migrate()
  expect(await functionsOf(pool)).toEqual(await freshFunctions())
})

test('a migration applies exactly the functions whose file has changed', async () => {
  const { pool, migrate } = await createEmptyDatabase()
  await migrate()
  const applied = async () =>
    (await pool.query('select name, checksum, xmin::text from applied_functions order by name')).rows
  const before = await applied()
  expect(before.length).toBeGreaterThan(10)
  await pool.query(`create or replace function fold_counters() returns bigint language sql as $$ select 0::bigint $$`)
  await pool.query(`update applied_functions set checksum = 'of another version' where name = 'fold_counters'`)
  await migrate()
  const after = await applied()
  expect(after.map(({ name, checksum }) => [name, checksum])).toEqual(
    before.map(({ name, checksum }) => [name, checksum]),
  )
  const changed = after.filter(({ xmin }, index) => xmin !== before[index]?.xmin)
  expect(changed.map(({ name }) => name)).toEqual(['fold_counters'])
  expect(await functionsOf(pool)).toEqual(await freshFunctions())
})

test('no function runs with the rights of the owner on a temporary table of its caller', async () => {
  const { pool, migrate } = await createEmptyDatabase()
  await migrate()
  // Unless pg_temp is named, PostgreSQL looks for tables there first ("Writing SECURITY DEFINER Functions Safely").
  const { rows } = await pool.query(`
    select proname as name, setting from pg_proc
    left join unnest(proconfig) as setting on setting like 'search_path=%'
    where pronamespace = 'public'::regnamespace and (prosecdef or setting is not null)`)
  expect(rows.length).toBeGreaterThan(10)
  for (const { name, setting } of rows)
    expect({ name, setting }).toEqual({ name, setting: 'search_path=pg_catalog, public, pg_temp' })
})

test('a function that cannot be created undoes the whole migration', async () => {
  const { pool, migrateTo, migrate } = await createEmptyDatabase()
  await migrateTo('0003-counter-deltas')
  await pool.query(`create function hold_ledger() returns int language sql return 1`)
  await expect(migrate()).rejects.toThrow('The function hold_ledger could not be created.')
  expect((await pool.query(`select to_regclass('ledger_totals') as ledger_totals`)).rows).toEqual([
    { ledger_totals: null },
  ])
})

test('concurrent migrations of an empty database wait for each other', async () => {
  const { pool, migrate } = await createEmptyDatabase()
  await Promise.all([migrate(), migrate()])
  expect(await functionsOf(pool)).toEqual(await freshFunctions())
})

test('a migration waits for another one for as long as that takes', async () => {
  const { pool, migrate } = await createEmptyDatabase()
  const other = await pool.connect()
  try {
    await other.query('begin')
    await other.query(`select pg_advisory_xact_lock(hashtext('clicktally migrations'))`)
    let isDone = false
    const waiting = migrate().then(() => {
      isDone = true
    })
    await vi.waitFor(
      async () => {
        const { rows } = await other.query(`
          select from pg_locks where locktype = 'advisory' and not granted
            and database = (select oid from pg_database where datname = current_database())`)
        expect(rows).toHaveLength(1)
      },
      { timeout: 300_000, interval: 20 },
    )
    // Longer than any other lock is waited for: the `lock_timeout` of the connection is 5 s.
    await Promise.race([waiting, sleep(6_000)])
    expect(isDone).toBe(false)
    await other.query('commit')
    await waiting
  } finally {
    other.release()
  }
  expect(await functionsOf(pool)).toEqual(await freshFunctions())
})

test('a dry run names what a migration would do, and changes nothing', async () => {
  const { pool, migrateTo, migrate, pending } = await createEmptyDatabase()
  const all = await pending()
  expect(all.migrations[0]).toMatchObject({ name: '0001-clicks-and-counters', notes: 'The first schema.' })
  await migrateTo('0003-counter-deltas')
  const left = await pending()
  expect(left.migrations.map(({ name }) => name)).toEqual(all.migrations.slice(3).map(({ name }) => name))
  expect(left.functions).toEqual(all.functions)
  expect((await pool.query(`select to_regclass('ledger_totals') as later`)).rows).toEqual([{ later: null }])
  await migrate()
  expect(await pending()).toEqual({ migrations: [], functions: [] })
  await pool.query(`update applied_functions set checksum = 'of another version' where name = 'fold_counters'`)
  expect(await pending()).toEqual({ migrations: [], functions: ['fold_counters'] })
})

test('each migration says whether the earlier services may run beside it', async () => {
  const { pending } = await createEmptyDatabase()
  const { migrations } = await pending()
  const first = ['0001-clicks-and-counters']
  expect(migrations.filter(({ name, notes }) => !first.includes(name) && !/[Ee]arlier/.test(notes))).toEqual([])
})

test('a migration that was merged later runs, although its number is lower', async () => {
  const { pool, migrate } = await createEmptyDatabase()
  await migrate()
  await pool.query(`drop table public_counters; delete from kysely_migration where name = '0018-public-counters'`)
  await migrate()
  expect((await pool.query(`select to_regclass('public_counters') is not null as exists`)).rows).toEqual([
    { exists: true },
  ])
})
