import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { withinTime } from '@clicktally/testing/within-time.ts'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { ClickModel, type ModelFilter, type ModelQuestion, testDimensions } from './click-model.ts'
import { sampleClicks, sampleDays, sampleFromMs } from './sample-clicks.ts'
import { createApiOverClicks } from './stored-clicks.ts'

const minuteMs = 60_000
const dayMs = 86_400_000
const zones = ['UTC', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Australia/Adelaide', 'America/St_Johns', 'Europe/Paris']
const names = testDimensions.map(({ name }) => name)

const range = fc
  .uniqueArray(fc.nat({ max: (sampleDays * dayMs) / minuteMs + 120 }), { minLength: 2, maxLength: 2 })
  .map((ends) => ends.sort((a, b) => a - b).map((minute) => sampleFromMs + (minute - 60) * minuteMs))
/** Whole months, and days in UTC. */
const wide = [Date.UTC(2026, 8, 1), Date.UTC(2026, 10, 1)]
const days = fc.constantFrom([1, 5], [2, 4], [3, 6]).map((ends) => ends.map((day) => Date.UTC(2026, 9, day)))
const filter = fc.record({
  dimension: fc.constantFrom(...names),
  isNot: fc.boolean(),
  /** Numbers of values that occur, or none of them. */
  picks: fc.array(fc.oneof(fc.nat({ max: 10_000 }), fc.constant(-1)), { minLength: 1, maxLength: 3 }),
})
const question = fc.record({
  range: fc.oneof(
    { weight: 4, arbitrary: range },
    { weight: 1, arbitrary: fc.constant(wide) },
    { weight: 1, arbitrary: days },
  ),
  filters: fc.array(filter, { maxLength: 3 }),
  targetPrefix: fc.option(fc.constantFrom('/b', '/blog/', '/nobody'), { nil: undefined, freq: 4 }),
  dimension: fc.constantFrom(...names),
  limit: fc.constantFrom(3, 50, 1_000),
  visitors: fc.boolean(),
  interval: fc.constantFrom('hour', 'day', 'month'),
  tz: fc.constantFrom(...zones),
  kind: fc.constantFrom('counts', 'series', 'top', 'by', 'by'),
})
type Question = typeof question extends fc.Arbitrary<infer Value> ? Value : never
const turn = fc.record({
  happens: fc.constantFrom('late clicks', 'fold', 'pack', 'pack', 'roll up', 'mark') as fc.Arbitrary<
    'late clicks' | 'fold' | 'pack' | 'roll up' | 'mark'
  >,
  questions: fc.array(question, { minLength: 3, maxLength: 3 }),
})

test('breakdowns and filtered counts equal those of another database, while clicks come late and hours are packed', async () => {
  const clicks = sampleClicks()
  const api = await createApiOverClicks()
  const model = new ClickModel()
  onTestFinished(() => model.close())
  // Most at first; the rest are late, in batches from all hours.
  const late = clicks.filter((_, index) => index % 5 === 0)
  const early = clicks.filter((_, index) => index % 5 !== 0)
  for (let at = 0; at < early.length; at += 2_000) await add(early.slice(at, at + 2_000))
  await api.fold()
  const valuesOf = new Map(names.map((name) => [name, model.valuesOf(name)]))
  const sources = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(
      turn,
      withinTime(60_000, async ({ happens, questions }) => {
        if (happens === 'late clicks') await add(late.splice(0, 40))
        else if (happens === 'fold') await api.fold()
        else if (happens === 'pack') await api.pack(0.7)
        else if (happens === 'roll up') await api.rollUp()
        else await api.owner.query('update stale_hours set folds = folds + 1')
        for (const each of questions) await expectEqual(each)
      }),
    ),
    // Some hundred questions; fewer on a busy machine.
    { numRuns: 70, endOnFailure: true },
  )
  // Otherwise the test shows nothing.
  expect([...sources.keys()]).toContain('mixed')

  // In the end everything is packed and summed; then a late click makes one hour, its day and its month stale.
  await api.fold()
  await api.pack()
  const ofEach = names.map(
    (dimension): Question => ({
      ...{ range: wide, filters: [], targetPrefix: undefined, limit: 1_000, visitors: false, dimension },
      ...{ interval: 'day', tz: 'UTC', kind: 'by' },
    }),
  )
  sources.clear()
  for (const each of ofEach) await expectEqual(each)
  expect([...sources.keys()]).toEqual(['sums'])
  sources.clear()
  for (const each of ofEach) await expectEqual({ ...each, visitors: true })
  expect([...sources.keys()]).toEqual(['columns'])
  await add(clicks.slice(0, 1))
  for (const each of ofEach.slice(0, 4)) await expectEqual(each)
  await api.fold()
  for (const each of ofEach.slice(0, 4)) await expectEqual(each)
  expect([...sources.keys()]).toEqual(['columns', 'mixed'])

  async function add(some: typeof clicks): Promise<void> {
    if (some.length === 0) return
    const fresh = some.map((click) => ({ ...click, id: randomUuidV7(Date.now()) }))
    await api.store(fresh)
    model.add(fresh)
  }

  async function ask(path: string, query: URLSearchParams) {
    const { status, body } = await api.get(`${path}?${query}`)
    expect({ status, body }).toMatchObject({ status: 200 })
    expect(body.meta).not.toHaveProperty('missing')
    sources.set(body.meta.source, (sources.get(body.meta.source) ?? 0) + 1)
    return body
  }

  async function expectEqual(question: Question) {
    const { range, filters, targetPrefix, dimension, limit, visitors, interval, tz, kind } = question
    const [fromMs = 0, toMs = 0] = range
    const asked: ModelQuestion = {
      ...{ fromMs, toMs, targetPrefix },
      filters: filters.map(({ dimension, isNot, picks }) => {
        const known = valuesOf.get(dimension) ?? []
        const values = picks.map((pick) => (pick === -1 ? 'no such value' : (known[pick % known.length] ?? '')))
        return { dimension, isNot, values: [...new Set(values)] }
      }),
    }
    const query = new URLSearchParams({ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), tz })
    for (const filter of asked.filters) query.append('filter', textOf(filter))
    if (targetPrefix !== undefined) query.set('targetPrefix', targetPrefix)
    if (kind === 'counts') {
      const { total, bots, visitors } = await ask('/v1/counts', query)
      expect({ total, bots, visitors }).toEqual(model.count(asked))
    } else if (kind === 'series') {
      // At most 1,000 points have visitors.
      query.set('interval', range === wide ? 'day' : interval)
      query.set('visitors', 'true')
      const { points } = await ask('/v1/counts/series', query)
      for (const { start, end, ...count } of points) {
        const part = {
          ...asked,
          fromMs: Math.max(fromMs, Date.parse(start)),
          toMs: Math.min(toMs, Date.parse(end)),
        }
        expect({ start, ...count }).toEqual({ start, ...model.count(part) })
      }
      const total = points.reduce((sum: number, point: { total: number }) => sum + point.total, 0)
      expect(total).toBe(model.count(asked).total)
    } else {
      const by = kind === 'top' ? 'target' : dimension
      query.set('limit', String(limit))
      query.set('visitors', String(visitors))
      const found = []
      for (let cursor: string | null = ''; cursor !== null; ) {
        if (cursor !== '') query.set('cursor', cursor)
        const body = await ask(kind === 'top' ? '/v1/counts/top' : `/v1/counts/by/${dimension}`, query)
        if (kind === 'top')
          found.push(...body.targets.map(({ target, ...count }: { target: string }) => ({ value: target, ...count })))
        else {
          found.push(...body.values.map(({ share: _, ...count }: { share: number }) => count))
          const { total, bots } = model.count(asked)
          expect({ total: body.total, bots: body.bots }).toEqual({ total, bots })
        }
        cursor = body.nextCursor
      }
      const expected = model.breakDown(asked, by)
      expect(found).toEqual(visitors ? expected : expected.map(({ visitors: _, ...count }) => count))
    }
  }
})

function textOf({ dimension, isNot, values }: ModelFilter): string {
  return `${dimension}:${isNot ? 'not' : 'is'}:${values.map((value) => value.replace(/[\\,]/g, '\\$&')).join(',')}`
}
