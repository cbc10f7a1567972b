import { ColumnScratch, decodeColumn, decodeVisitors, maxPartRows } from '@clicktally/columns/column.ts'
import { readColumnParts } from '@clicktally/columns/column-parts.ts'
import { maxDimensionIds } from '@clicktally/columns/dimension-ids.ts'
import { GroupCounts } from '@clicktally/columns/group-counts.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { type DimensionRow, dimensions } from '@clicktally/dimensions/dimensions.ts'
import type { Click } from '@clicktally/event/click.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { withinTime } from '@clicktally/testing/within-time.ts'
import fc from 'fast-check'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { HourPacking } from '../background/packing/hour-packing.ts'
import { ClickBatch } from '../rows/click-batch.ts'
import { createPartitionsAround } from '../store/click-partitions.ts'
import { ClickStore } from '../store/click-store.ts'
import { consumedMessage, createClick } from './processor-under-test.ts'

const logger = pino({ level: 'silent' })
const hourMs = 3_600_000
/** Over for more than an hour, as of now. */
const firstHourMs = Math.floor(Date.now() / hourMs - 6) * hourMs

async function createPacking() {
  const { ownerUrl, processorUrl } = await createTestDatabase()
  const limits = { name: 'test', logger, maxConnections: 2, statementTimeoutMs: 60_000 }
  const owner = createPool({ ...limits, url: ownerUrl })
  const pool = createPool({ ...limits, url: processorUrl })
  const packing = new HourPacking({ pool })
  onTestFinished(async () => {
    await pool.end()
    await owner.end()
  })
  const store = new ClickStore(owner)
  await createPartitionsAround(pool, Date.now())
  let sequence = 0
  return {
    owner,
    packing,
    count: async (clicks: readonly Click[]) => {
      sequence += 1
      const producer = '0f8fad5b-d9cb-469f-a165-70867728950e'
      const stamp = { producer, sequence, clicks: clicks.length, settled: sequence - 1, confirmed: 2 ** 40 }
      await store.count(new ClickBatch([consumedMessage(stamp, clicks)]))
    },
    fold: () => owner.query('select fold_counters()'),
    /** As if the hours had been stale for long enough. */
    pack: async () => {
      await owner.query(`update stale_hours set stale_since = now() - interval '1 hour'`)
      return await packing.pack()
    },
    packedClicks: (projectId: number, hourMs: number) => packedClicks(owner, projectId, hourMs),
  }
}

type Owner = ReturnType<typeof createPool>

/** The clicks in the columns of an hour, as sorted texts. */
async function packedClicks(owner: Owner, projectId: number, startMs: number): Promise<string[]> {
  const { rows } = await owner.query<{ part: number; dimension: string; data: Buffer }>(
    'select part, dimension, data from click_columns where project_id = $1 and hour = $2',
    [projectId, new Date(startMs)],
  )
  const values = await owner.query<{ dimension: string; id: number; value: string }>(
    'select dimension, id, value from dimension_values where project_id = $1',
    [projectId],
  )
  const names = new Map(values.rows.map(({ dimension, id, value }) => [`${dimension} ${id}`, value]))
  const clicks: string[] = []
  for (const columns of Map.groupBy(rows, ({ part }) => part).values()) {
    const bytesOf = new Map(columns.map(({ dimension, data }) => [dimension, data]))
    const numbersOf = (name: string) => {
      const bytes = bytesOf.get(name)
      if (bytes === undefined) return undefined
      const { rows, ids, positions } = decodeColumn(bytes, new ColumnScratch())
      return Array.from(positions.subarray(0, rows), (position) => ids[position] as number)
    }
    const targets = numbersOf('target') ?? []
    // Clicks of a target are together.
    expect(targets.filter((id, row) => id !== targets[row - 1])).toEqual([...new Set(targets)])
    const visitors = new Int32Array(targets.length).fill(-1)
    const visitorBytes = bytesOf.get('visitor')
    if (visitorBytes !== undefined) decodeVisitors(visitorBytes, visitors)
    const minutes = numbersOf('minute')
    const bots = numbersOf('bot')
    const dimensionNames = dimensions.map(({ name }) => name)
    const numbers = dimensionNames.map((name) => [name, numbersOf(name)] as const)
    targets.forEach((target, row) => {
      const all = numbers.map(([name, ids]) => {
        const id = ids?.[row] ?? 0
        return id === 0 ? '' : id === 1 ? '(other)' : names.get(`${name} ${id}`)
      })
      clicks.push(
        JSON.stringify([names.get(`target ${target}`), minutes?.[row], bots?.[row] ?? 0, visitors[row], ...all]),
      )
    })
  }
  return clicks.sort()
}

/** What these must be. */
async function storedClicks(owner: Owner, projectId: number, startMs: number): Promise<string[]> {
  const { rows } = await owner.query<DimensionRow & { occurred_at: Date; bot: boolean; visitor: number | null }>(
    `select *, case when not bot then visitor_hash(project_id, visitor_id) end as visitor from clicks
     where project_id = $1 and occurred_at >= $2 and occurred_at < $3`,
    [projectId, new Date(startMs), new Date(startMs + hourMs)],
  )
  return rows
    .map((row) => {
      const all = dimensions.map((dimension) => dimension.valueOf(row) ?? '')
      return JSON.stringify([row.target, row.occurred_at.getMinutes(), row.bot ? 1 : 0, row.visitor ?? -1, ...all])
    })
    .sort()
}

const content = fc.record(
  {
    projectId: fc.constantFrom(1, 7),
    target: fc.constantFrom('a', 'b', 'ç "quoted"'),
    occurredAtMs: fc.nat({ max: 3 * hourMs - 1 }).map((ms) => firstHourMs + ms),
    bot: fc.constant(true as const),
    visitorId: fc.constantFrom('ann', 'bob', 'cäcilie'),
    url: fc.constantFrom(
      'https://www.shop.example/ä?utm_source=News&utm_medium=email',
      '/relative',
      'no url',
      'http://%',
    ),
    referrer: fc.constantFrom('https://www.google.com/', 'https://shop.example/'),
    country: fc.constantFrom('DE', 'JP'),
    agent: fc.constantFrom('aaa', 'zzz'),
    props: fc.constantFrom({ plan: 'pro' }, { plan: 2 }),
  },
  { requiredKeys: ['projectId', 'target', 'occurredAtMs'] },
)
const happening = fc.oneof(
  fc.record({ does: fc.constant('count' as const), clicks: fc.array(content, { minLength: 1, maxLength: 15 }) }),
  fc.record({ does: fc.constant('fold' as const) }),
  fc.record({ does: fc.constant('pack' as const) }),
)

test('what readers may use of the columns is exactly what is stored, whenever clicks come, are folded and packed', async () => {
  const { owner, count, fold, pack, packedClicks } = await createPacking()
  let compared = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(happening, { minLength: 3, maxLength: 12 }),
      withinTime(30_000, async (happenings) => {
        await owner.query('truncate clicks, counter_deltas, stale_hours, click_columns')
        for (const happens of happenings) {
          if (happens.does === 'count') await count(happens.clicks.map((some) => createClick(some as Partial<Click>)))
          else if (happens.does === 'fold') await fold()
          else await pack()
          for (const projectId of [1, 7]) {
            for (const startMs of [0, 1, 2].map((hour) => firstHourMs + hour * hourMs)) {
              const { rows } = await owner.query(
                `select from stale_hours where project_id = $1 and hour = $2
               union all select from counter_deltas
               where project_id = $1 and minute >= $2 and minute < $2::timestamptz + interval '1 hour'`,
                [projectId, new Date(startMs)],
              )
              if (rows.length > 0) continue
              const packed = await packedClicks(projectId, startMs)
              expect(packed).toEqual(await storedClicks(owner, projectId, startMs))
              if (packed.length > 0) compared += 1
            }
          }
        }
      }),
    ),
    { numRuns: 60 },
  )
  expect(compared).toBeGreaterThan(10)
})

test('a click that is folded while its hour is packed keeps the hour stale', async () => {
  const { owner, count, fold, pack, packedClicks } = await createPacking()
  const click = (target: string) => createClick({ target, occurredAtMs: firstHourMs })
  await count([click('early')])
  await fold()
  // The server is shared with other tests.
  const waiting = `select from pg_locks where not granted and relation = 'dimension_values'::regclass and database =
    (select oid from pg_database where datname = current_database())`
  const blocker = await owner.connect()
  await blocker.query('begin; lock table dimension_values in access exclusive mode')
  const packing = pack()
  // It has read the clicks as soon as it waits for the ids of their values.
  await expect.poll(async () => (await blocker.query(waiting)).rowCount).toBe(1)
  await count([click('late')])
  await fold()
  await blocker.query('commit')
  blocker.release()
  expect(await packing).toBe(1)
  const stale = async () => (await owner.query('select hour from stale_hours')).rows
  expect(await stale()).toEqual([{ hour: new Date(firstHourMs) }])
  expect(await pack()).toBe(2)
  expect(await stale()).toEqual([])
  expect(await packedClicks(1, firstHourMs)).toHaveLength(2)
})

test('the current hour, and an hour that became stale a moment ago, are not packed yet; nor is any in a backlog', async () => {
  const { owner, count, fold, pack, packing } = await createPacking()
  await count([createClick({ occurredAtMs: Date.now() })])
  await fold()
  expect(await pack()).toBe(0)
  await count([createClick({ occurredAtMs: firstHourMs })])
  await fold()
  expect(await packing.pack()).toBe(0)
  const backlog = `insert into counter_deltas select 1, '', now(), 0, 0, '{}' from generate_series(1, 20001)`
  await owner.query(backlog)
  expect(await pack()).toBe(0)
  await owner.query('truncate counter_deltas')
  expect(await pack()).toBe(1)
})

test('an hour with more clicks than a part has further parts', async () => {
  const { owner, pack, packedClicks } = await createPacking()
  const clicks = maxPartRows + 5_000
  await owner.query(
    `insert into clicks (id, project_id, occurred_at, received_at, bot, target, url)
     select uuidv7(make_interval(secs => -each * 0.01)), 1, $1::timestamptz + make_interval(secs => each * 0.05), now(), false,
       'target ' || each % 1000, 'https://shop.example/' || each
     from generate_series(0, $2::int - 1) as each`,
    [new Date(firstHourMs), clicks],
  )
  await owner.query('insert into stale_hours values (1, $1)', [new Date(firstHourMs)])
  expect(await pack()).toBe(clicks)
  const { rows } = await owner.query('select distinct part from click_columns order by 1')
  expect(rows).toEqual([{ part: 0 }, { part: 1 }])
  expect(await packedClicks(1, firstHourMs)).toEqual(await storedClicks(owner, 1, firstHourMs))
  // The columns of the first part, with as many paths as clicks, are larger than the memory that is taken at first.
  const [targets, paths] = [new GroupCounts(), new GroupCounts()]
  const every = new Uint8Array(maxPartRows).fill(1)
  const client = await owner.connect()
  const range = {
    projectId: 1,
    pieces: [{ fromMs: firstHourMs, toMs: firstHourMs + hourMs }],
    except: [],
    minutesOf: [],
  }
  await readColumnParts(client, { ...range, names: ['target', 'path', 'bot'] }, (part) => {
    targets.add(part.rows, every, part.column('target'), part.bots())
    paths.add(part.rows, every, part.column('path'), part.bots())
  }).finally(() => client.release())
  const totals = [...targets.counts.values()].map(({ total }) => total)
  expect([totals.length, Math.min(...totals), Math.max(...totals)]).toEqual([1_000, 70, 71])
  expect([targets.sum, paths.sum]).toEqual(Array(2).fill({ total: clicks, bots: 0 }))
  expect(paths.counts.size).toBe(clicks)
})

test('a dimension has at most 100,000 ids; other values share one', async () => {
  const { owner, count, fold, pack, packedClicks } = await createPacking()
  await owner.query(
    `insert into dimension_values (project_id, dimension, id, value)
     select 1, 'path', id, '/' || id from generate_series(2, $1::int) as id`,
    [maxDimensionIds],
  )
  const paths = ['/2', '/last', '/too-many', '/more']
  for (const path of paths) {
    await count([createClick({ occurredAtMs: firstHourMs, url: `https://shop.example${path}` })])
    await fold()
    await pack()
  }
  const packed = await packedClicks(1, firstHourMs)
  const path = 4 + dimensions.findIndex(({ name }) => name === 'path')
  expect(packed.map((text) => JSON.parse(text)[path]).sort()).toEqual(['(other)', '(other)', '/2', '/last'])
})

test('hours that were packed before a project declared a prop are packed again, with the prop', async () => {
  const { owner, count, fold, pack } = await createPacking()
  const props = (startMs: number) => createClick({ occurredAtMs: startMs, props: { plan: 'pro' } })
  await count([props(firstHourMs), createClick({ occurredAtMs: firstHourMs + hourMs })])
  await fold()
  expect(await pack()).toBe(2)
  await owner.query(`update projects set dimensions = '{plan}' where id = 1`)
  // The first call marks the hours, and they are due two minutes later.
  await pack()
  expect(await pack()).toBe(2)
  const { rows } = await owner.query(
    `select hour, length(data) > 0 as is_there from click_columns where dimension = 'props.plan' order by hour`,
  )
  expect(rows).toEqual([
    { hour: new Date(firstHourMs), is_there: true },
    { hour: new Date(firstHourMs + hourMs), is_there: true },
  ])
  expect(await pack()).toBe(0)
})
