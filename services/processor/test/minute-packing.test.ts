import { createPool } from '@clicktally/database/pool.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { withinTime } from '@clicktally/testing/within-time.ts'
import fc from 'fast-check'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { CounterFolding } from '../background/counter-folding.ts'

const logger = pino({ level: 'silent' })
/** Before the horizon of a new database, which is the time at which it was created. */
const hour = '2026-03-01T07:00:00.000Z'

async function createMinutes() {
  const { ownerUrl, processorUrl } = await createTestDatabase()
  const limits = { name: 'test', logger, maxConnections: 2, statementTimeoutMs: 60_000 }
  const owner = createPool({ ...limits, url: ownerUrl })
  const pool = createPool({ ...limits, url: processorUrl })
  onTestFinished(async () => {
    await pool.end()
    await owner.end()
  })
  const ask = async <Row extends object>(text: string, values: unknown[] = []) =>
    (await owner.query<Row>(text, values)).rows
  return {
    ask,
    folding: new CounterFolding({ pool, metrics: { foldFailed() {} }, logger }),
    pack: async (maxRows: number) => {
      for (let packed = 1; packed > 0; )
        packed = Number((await owner.query('select pack_minutes($1) as packed', [maxRows])).rows[0].packed)
    },
  }
}

interface Minute {
  readonly target: string
  readonly at: number
  readonly total: number
  readonly bots: number
  readonly visitors: readonly number[]
}

const int = { min: -(2 ** 31), max: 2 ** 31 - 1 }
const minuteOfHour: fc.Arbitrary<Minute> = fc.record({
  target: fc.constantFrom('', 'a', 'b', 'ü'),
  at: fc.oneof(fc.nat({ max: 59 }), fc.constantFrom(0, 59)),
  total: fc.oneof({ weight: 5, arbitrary: fc.nat({ max: 300 }) }, fc.integer(int)),
  bots: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat({ max: 9 }), fc.integer(int)),
  visitors: fc
    .oneof(
      { weight: 20, arbitrary: fc.uniqueArray(fc.nat({ max: 2 ** 31 - 1 }), { maxLength: 6 }) },
      // A full sketch.
      fc.nat({ max: 2 ** 30 }).map((first) => Array.from({ length: 2_048 }, (_, index) => first + index * 3)),
    )
    .map((hashes) => hashes.sort((a, b) => a - b)),
})
const minutes = fc.uniqueArray(minuteOfHour, { selector: ({ target, at }) => `${target} ${at}`, maxLength: 150 })

test('packed minutes are what they were, in whatever parts they are packed', async () => {
  const { ask, pack } = await createMinutes()
  let all = 0
  await fc.assert(
    fc.asyncProperty(
      minutes,
      fc.constantFrom(1, 100, 6_000),
      withinTime(20_000, async (given, maxRows) => {
        await ask('truncate minute_counters, hour_counters')
        await add(given)
        await pack(maxRows)
        expect(await ask('select from minute_counters')).toEqual([])
        const rows = await ask<Minute>(
          `select target, date_part('minute', minute)::int as at, total, bots, visitors from packed_minutes
           where project_id = 1 and hour = $1 and date_trunc('hour', minute, 'UTC') = $1`,
          [hour],
        )
        expect(sorted(rows)).toEqual(sorted(given))
        all += rows.length
      }),
    ),
    { numRuns: 60 },
  )
  expect(all).toBeGreaterThan(100)

  async function add(given: readonly Minute[]): Promise<void> {
    await ask(
      `insert into minute_counters (project_id, minute, target, total, bots, visitors)
       select 1, $1::timestamptz + at * interval '1 minute', target, total, bots, visitors
       from json_to_recordset($2) as given (at int, target text, total int, bots int, visitors int[])`,
      [hour, JSON.stringify(given)],
    )
  }
})

function sorted(all: readonly Minute[]): Minute[] {
  return all.toSorted((a, b) => a.at - b.at || (a.target < b.target ? -1 : 1))
}

const onePerMinute = `
  insert into minute_counters (project_id, minute, target, total, bots, visitors)
  select 1, timestamptz '2026-03-01T07:00Z' + n % 60 * interval '1 minute', 'target ' || n / 60, 1, 0, '{}'
  from generate_series(0, 599) n`

test('minutes are packed when their hour is rolled up and its columns are packed, and not in the first day after an upgrade', async () => {
  const { ask, folding } = await createMinutes()
  await ask(onePerMinute)
  const loose = async () => (await ask<{ n: number }>('select count(*)::int as n from minute_counters'))[0]?.n
  await ask(`update rollup_horizon set packs_minutes_from = now() + interval '1 hour'`)
  await folding.fold()
  expect(await loose()).toBe(600)
  await ask('update rollup_horizon set packs_minutes_from = now()')
  await ask(`insert into stale_hours (project_id, hour) values (1, $1)`, [hour])
  await folding.fold()
  expect(await loose()).toBe(600)
  await ask('delete from stale_hours')
  await ask('update rollup_horizon set hours_before = $1, days_before = $1, months_before = $1', ['2026-03-01T07:00Z'])
  await ask(`update rollup_horizon set hours_project = 1, hours_target = 'zzz'`)
  await ask('select pack_minutes()')
  expect(await loose()).toBe(600)
  await folding.fold()
  expect(await loose()).toBe(0)
  expect(await ask('select sum(total)::int as total from packed_minutes')).toEqual([{ total: 600 }])
})
