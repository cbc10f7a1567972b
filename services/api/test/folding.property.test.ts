import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { withinTime } from '@clicktally/testing/within-time.ts'
import fc from 'fast-check'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { counterState, type RolledUpBefore } from '../queries/counter-state.ts'
import { counts } from '../queries/counts.ts'
import { series } from '../queries/series.ts'
import { top, withVisitors } from '../queries/top.ts'
import { bucketEdges } from '../time/bucket-edges.ts'
import { timeZoneOf } from '../time/time-zone.ts'
import { SketchCache } from '../visitors/sketch-cache.ts'

const logger = pino({ level: 'silent' })
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** The end of a short month, and of a month in which daylight saving time begins. */
const beginMs = Date.UTC(2026, 1, 27, 22)
const allMinutes = (36 * dayMs) / minuteMs

interface Click {
  readonly target: string
  readonly minuteMs: number
  readonly bot: boolean
  readonly visitor: string | undefined
  readonly projectId: number
}

/** Minutes since `beginMs`: anywhere, and at boundaries of buckets. */
const minute = fc.oneof(
  fc.nat({ max: allMinutes }),
  fc.nat({ max: 300 }),
  fc
    .tuple(fc.nat({ max: 36 }), fc.integer({ min: -2, max: 2 }))
    .map(([day, off]) => Math.max(0, 120 + day * 1440 + off)),
)
const click = fc.record({
  target: fc.constantFrom('a', 'b', 'c'),
  minuteMs: minute.map((each) => beginMs + each * minuteMs),
  bot: fc.boolean(),
  visitor: fc.option(fc.constantFrom('one', 'two', 'three', 'four'), { nil: undefined }),
  projectId: fc.constantFrom(1, 1, 5),
})
const range = fc
  .uniqueArray(minute, { minLength: 2, maxLength: 2 })
  .map((ends) => ends.sort((a, b) => a - b).map((each) => beginMs + each * minuteMs))
const question = fc.record({
  does: fc.constant('ask' as const),
  projectId: fc.constantFrom(1, 1, 5),
  range: fc.option(range, { nil: undefined }),
  open: fc.constantFrom('from', 'to', 'none'),
  targets: fc.option(fc.subarray(['a', 'b', 'nobody'], { minLength: 1 }), { nil: undefined }),
  interval: fc.constantFrom('minute' as const, 'hour' as const, 'day' as const, 'month' as const),
  tz: fc.constantFrom('UTC', 'Europe/Paris', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'America/St_Johns'),
})
const happening = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ does: fc.constant('count' as const), clicks: fc.array(click, { maxLength: 12 }) }),
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('fold' as const) }) },
  // The clock moves on by some minutes, some hours or some days. What is over by then is rolled up in small parts, and often
  // not to the end: a bucket, a project or a target is left half done for what comes next.
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constant('roll up' as const),
      afterMs: fc
        .oneof(fc.nat({ max: 90 }), fc.nat({ max: 3_000 }), fc.nat({ max: 20_000 }))
        .map((each) => each * minuteMs),
      maxRows: fc.oneof(fc.integer({ min: 1, max: 150 }), fc.constant(20_000)),
      parts: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(1_000)),
    }),
  },
  // Minutes of hours that are rolled up are packed, often not to the end; clicks that are folded later come beside them, and are packed too.
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant('pack' as const),
      maxRows: fc.oneof(fc.integer({ min: 1, max: 150 }), fc.constant(6_000)),
      parts: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(1_000)),
    }),
  },
  { weight: 4, arbitrary: question },
)

describe('counters, folded or unfolded, packed or not', () => {
  test('always match a plain list of clicks, with any known horizon', async () => {
    const { ownerUrl, apiUrl } = await createTestDatabase()
    const limits = { name: 'test', logger, maxConnections: 2, statementTimeoutMs: 60_000 }
    const owner = createPool({ ...limits, url: ownerUrl })
    const pool = createPool({ ...limits, url: apiUrl })
    const db = createDatabase(pool)
    onTestFinished(async () => {
      await owner.end()
      await db.destroy()
    })

    // So small that sketches are evicted.
    const sketches = new SketchCache(1_000)
    let packed = 0
    const folded = `(
      select project_id, minute, target, total, bots from minute_counters
      union all select project_id, minute, target, total, bots from packed_minutes)`
    await fc.assert(
      fc.asyncProperty(
        fc.array(happening, { minLength: 4, maxLength: 25 }),
        withinTime(20_000, async (happenings) => {
          await owner.query(`
          truncate counter_deltas, stale_hours, minute_counters, hour_counters, day_counters, month_counters;
          update rollup_horizon set
            hours_before = '2026-02-28', days_before = '2026-02-28', months_before = '2026-02-01',
            hours_project = 0, days_project = 0, months_project = 0, hours_target = '', days_target = '', months_target = ''`)
          const clicks: Click[] = []
          const horizons: RolledUpBefore[] = [(await counterState(db)).rolledUpBefore]
          let nowMs = beginMs
          for (const happens of happenings) {
            if (happens.does === 'count') {
              clicks.push(...happens.clicks)
              await add(happens.clicks)
            } else if (happens.does === 'fold') {
              await owner.query('select fold_counters()')
            } else if (happens.does === 'roll up') {
              nowMs += happens.afterMs
              for (let part = 0; part < happens.parts; part += 1) {
                const { rows } = await owner.query('select roll_up_counters_at($1, $2) as read', [
                  new Date(nowMs),
                  happens.maxRows,
                ])
                if (rows[0].read === 0) break
              }
              await expectRolledUp()
              horizons.push((await counterState(db)).rolledUpBefore)
            } else if (happens.does === 'pack') {
              // As if the columns of all hours had been packed.
              await owner.query('truncate stale_hours')
              for (let part = 0; part < happens.parts; part += 1) {
                const { rows } = await owner.query('select pack_minutes($1) as packed', [happens.maxRows])
                packed += rows[0].packed
                if (rows[0].packed === 0) {
                  expect(await looseMinutes()).toBe(0)
                  break
                }
              }
              await expectRolledUp()
            } else {
              const { projectId, range, open, targets, interval, tz } = happens
              const filter = {
                projectId,
                targets,
                fromMs: open === 'from' ? undefined : range?.[0],
                toMs: open === 'to' ? undefined : range?.[1],
              }
              const chosen = clicks.filter(
                ({ target, minuteMs, ...click }) =>
                  click.projectId === projectId &&
                  (targets === undefined || targets.includes(target)) &&
                  minuteMs >= (filter.fromMs ?? 0) &&
                  minuteMs < (filter.toMs ?? Infinity),
              )
              for (const horizon of new Set([horizons.at(-1), horizons[horizons.length >> 1]])) {
                if (horizon === undefined) continue
                expect(await counts(pool, filter, horizon, sketches)).toMatchObject({
                  ...sums(chosen),
                  visitors: visitors(chosen),
                })
                const page = await top(db, filter, horizon, 10, undefined)
                expect(page).toEqual(ranked(chosen))
                expect(await withVisitors(db, filter, horizon, page, sketches)).toEqual(
                  ranked(chosen).map((row) => ({
                    ...row,
                    visitors: visitors(chosen.filter(({ target }) => target === row.target)),
                  })),
                )
                const { fromMs, toMs } = filter
                if (
                  fromMs === undefined ||
                  toMs === undefined ||
                  toMs - fromMs > dayMs * (interval === 'minute' ? 1 : 36)
                )
                  continue
                const edges = bucketEdges(interval, timeZoneOf(tz), { fromMs, toMs })
                const points = await series(db, { ...filter, fromMs, toMs }, horizon, edges)
                const expected = edges.slice(0, -1).map((startMs, at) => {
                  const endMs = edges[at + 1] as number
                  const its = chosen.filter(({ minuteMs }) => minuteMs >= startMs && minuteMs < endMs)
                  return { startMs, endMs, ...sums(its), visitors: visitors(its) }
                })
                expect(points).toEqual(expected.map(({ visitors: _, ...point }) => point))
                if (interval !== 'minute')
                  expect(await series(db, { ...filter, fromMs, toMs }, horizon, edges, sketches)).toEqual(expected)
              }
            }
          }
          await expectRolledUp()
        }),
      ),
      // Fewer on a busy machine.
      { numRuns: 60 },
    )
    expect(packed).toBeGreaterThan(0)

    /** Minutes that wait to be packed. */
    async function looseMinutes(): Promise<number> {
      const { rows } = await owner.query(
        'select count(*)::int as loose from minute_counters, rollup_horizon where minute < hours_before',
      )
      return rows[0].loose
    }

    /** Adds deltas as a processor does: for each target and minute, and for all targets together. */
    async function add(clicks: readonly Click[]): Promise<void> {
      await owner.query(
        `insert into counter_deltas (project_id, target, minute, total, bots, visitors)
         select
           project, coalesce(target, ''), click_count.minute, sum(total), sum(bots),
           visitor_sketch(array_agg(distinct click_count.visitor) filter (where click_count.visitor is not null))
         from unnest($1::text[], $2::timestamptz[], $3::bool[], $4::text[], $5::int[])
             as click (target, occurred_at, bot, visitor, project)
           cross join lateral click_count(project, occurred_at, bot, click.visitor)
         group by project, click_count.minute, grouping sets ((target), ())`,
        [
          clicks.map(({ target }) => target),
          clicks.map(({ minuteMs }) => new Date(minuteMs)),
          clicks.map(({ bot }) => bot),
          clicks.map(({ visitor }) => visitor),
          clicks.map(({ projectId }) => projectId),
        ],
      )
    }

    /** Wider buckets must hold the folded clicks up to their horizon, and nothing else. */
    async function expectRolledUp(): Promise<void> {
      for (const [wide, narrow] of [
        ['hour', 'minute'],
        ['day', 'hour'],
        ['month', 'day'],
      ]) {
        const { rows } = await owner.query(`
          with kept as (
            select project_id, ${wide} as start, target, total::bigint, bots::bigint from ${wide}_counters
          ), truth as (
            select project_id, date_trunc('${wide}', ${narrow}, 'UTC') as start, target, sum(total)::bigint, sum(bots)::bigint
            from ${narrow === 'minute' ? folded : `${narrow}_counters`} as part
            where (date_trunc('${wide}', ${narrow}, 'UTC'), project_id, target)
              <= (select ${wide}s_before, ${wide}s_project, ${wide}s_target from rollup_horizon)
            group by 1, 2, 3
          )
          (table kept except table truth) union all (table truth except table kept)`)
        expect(rows).toEqual([])
      }
    }
  })

  test('are correct for readers during concurrent folds, roll-ups and packing', async () => {
    const { ownerUrl, apiUrl } = await createTestDatabase()
    const limits = { name: 'test', logger, maxConnections: 4, statementTimeoutMs: 5_000 }
    const owner = createPool({ ...limits, url: ownerUrl })
    const pool = createPool({ ...limits, url: apiUrl })
    const db = createDatabase(pool)
    onTestFinished(async () => {
      await owner.end()
      await db.destroy()
    })
    await owner.query(
      `update rollup_horizon set hours_before = date, days_before = date, months_before = date
       from date_trunc('month', now() - interval '40 days', 'UTC') as date`,
    )
    const horizon = (await counterState(db)).rolledUpBefore
    const filter = { projectId: 1, targets: undefined, fromMs: undefined, toMs: undefined }
    const sketches = new SketchCache()
    const turns = 100
    let open = true
    const writing = (async () => {
      for (let turn = 0; turn < turns; turn += 1) {
        // Some are late, so that a fold also raises an hour and a day.
        await owner.query(
          `insert into counter_deltas
           select 1, target, date_trunc('minute', now()) - $1::int * interval '7 minutes', clicks, clicks, '{}'
           from (values ('a', 1), ('b', 1), ('', 2)) as delta (target, clicks)`,
          [turn],
        )
      }
      open = false
    })()
    const folding = Array.from({ length: 3 }, async () => {
      let taken = 0
      while (open) taken += Number((await owner.query('select fold_counters()')).rows[0].fold_counters)
      return taken
    })
    const packing = (async () => {
      let packed = 0
      while (open) {
        // As if columns had been packed. In the lock of the folds, which add marks.
        await owner.query(
          'select hold_counters(); delete from stale_hours; select roll_up_counters_at(clock_timestamp(), 30)',
        )
        packed += (await owner.query('select pack_minutes(120) as packed')).rows[0].packed
      }
      return packed
    })()
    let before = 0
    while (open) {
      const [a, b] = await top(db, filter, horizon, 10, undefined)
      expect(a?.total).toBe(b?.total)
      const { total, bots } = await counts(pool, filter, horizon, sketches)
      expect(total).toBe(bots)
      expect(total).toBeGreaterThanOrEqual(before)
      before = total
    }
    await writing
    expect(await packing).toBeGreaterThan(0)
    const taken = await Promise.all(folding)
    const last = Number((await owner.query('select fold_counters()')).rows[0].fold_counters)
    expect(taken.reduce((sum, each) => sum + each, last)).toBe(3 * turns)
    expect(await counts(pool, filter, horizon, sketches)).toMatchObject({ total: 2 * turns, bots: 2 * turns })
  })
})

function sums(clicks: readonly Click[]): { total: number; bots: number } {
  const bots = clicks.filter(({ bot }) => bot).length
  return { total: clicks.length - bots, bots }
}

function visitors(clicks: readonly Click[]): number {
  return new Set(clicks.flatMap(({ bot, visitor }) => (bot || visitor === undefined ? [] : visitor))).size
}

function ranked(clicks: readonly Click[]): { target: string; total: number; bots: number }[] {
  return [...Map.groupBy(clicks, ({ target }) => target)]
    .map(([target, its]) => ({ target, ...sums(its) }))
    .sort((a, b) => b.total - a.total || (a.target < b.target ? -1 : 1))
}
