import { createDatabase } from '@clicktally/database/connection.ts'
import { floorToBucket } from '@clicktally/database/counter-buckets.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { ClickBatch } from '@clicktally/processor/rows/click-batch.ts'
import { visitorHash } from '@clicktally/processor/rows/visitor-hash.ts'
import { ClickStore } from '@clicktally/processor/store/click-store.ts'
import { consumedMessage, createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { withinTime } from '@clicktally/testing/within-time.ts'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { verifyCounters } from '../counters/verification.ts'
import { forgetVisitor } from '../visitors/forget-visitor.ts'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
/** The end of a month, some weeks ago, so that everything can be rolled up. */
const beginMs = Date.UTC(2026, 8, 30, 22)
const widths = ['minute', 'hour', 'day', 'month'] as const

interface Drawn {
  readonly projectId: number
  readonly target: string
  readonly minute: number
  readonly visitorId: string | undefined
  readonly bot: boolean
  /** The day of the id, which determines the partition. */
  readonly idDay: number
}

const drawn = fc.record({
  projectId: fc.constantFrom(1, 1, 2),
  target: fc.constantFrom('a', 'b'),
  minute: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 300 }), fc.nat({ max: 40 * 24 * 60 })),
  visitorId: fc.constantFrom('ann', 'ann', 'bob', 'cäcilie "c"', undefined),
  bot: fc.constantFrom(false, false, true),
  idDay: fc.constantFrom(0, 1),
})
const some = fc.array(drawn, { minLength: 1, maxLength: 25 })
const scenario = fc.record({
  /** Each is stored and then folded, or rolled up as well, or left as deltas. */
  before: fc.array(fc.record({ clicks: some, next: fc.constantFrom('nothing', 'fold', 'roll up') }), {
    minLength: 1,
    maxLength: 4,
  }),
  meanwhile: fc.array(some, { maxLength: 4 }),
  foldsMeanwhile: fc.boolean(),
  forgotten: fc.constantFrom('ann', 'cäcilie "c"', 'nobody'),
  projectId: fc.constantFrom(undefined, 1, 2),
})

interface Counter {
  total: number
  bots: number
  hashes: Set<number>
}

/** Every counter of these clicks, by width, start, project and target. */
function model(clicks: readonly Drawn[]): Map<string, Counter> {
  const counters = new Map<string, Counter>()
  for (const { projectId, target, minute, visitorId, bot } of clicks) {
    const timeMs = beginMs + minute * minuteMs
    for (const width of widths) {
      const start = width === 'minute' ? timeMs : floorToBucket(timeMs, width)
      for (const name of [target, '']) {
        const key = [width, new Date(start).toISOString(), projectId, name].join(' ')
        const counter = counters.get(key) ?? { total: 0, bots: 0, hashes: new Set() }
        if (bot) counter.bots += 1
        else counter.total += 1
        if (!bot && visitorId !== undefined) {
          const bytes = Buffer.from(visitorId)
          counter.hashes.add(visitorHash(projectId, bytes, 0, bytes.length))
        }
        counters.set(key, counter)
      }
    }
  }
  return counters
}

test('after a visitor was forgotten, clicks and counters of every width are those of clicks without this visitor', async () => {
  const { ownerUrl, processorUrl, operatorUrl } = await createTestDatabase()
  const limits = { name: 'test', logger: createLogger('test', 'silent'), maxConnections: 4, statementTimeoutMs: 30_000 }
  const [owner, pool, operator] = [ownerUrl, processorUrl, operatorUrl].map((url) => createPool({ ...limits, url }))
  if (!owner || !pool || !operator) throw new Error('a pool is missing')
  const db = createDatabase(operator)
  onTestFinished(async () => {
    await Promise.all([owner.end(), pool.end(), db.destroy()])
  })
  const store = new ClickStore(pool)
  let sequence = 0

  async function count(clicks: readonly Drawn[]): Promise<void> {
    sequence += 1
    const stamp = { producer: '0f8fad5b-d9cb-469f-a165-70867728950e', sequence, clicks: clicks.length }
    const message = consumedMessage(
      { ...stamp, settled: sequence - 1, confirmed: sequence },
      clicks.map(({ projectId, target, minute, visitorId, bot, idDay }) =>
        createClick({
          ...{ projectId, target, id: randomUuidV7(Date.now() - idDay * dayMs) },
          occurredAtMs: beginMs + minute * minuteMs + 1,
          ...(visitorId !== undefined && { visitorId }),
          ...(bot && { bot: true as const }),
        }),
      ),
    )
    await store.makePartitionsFor([message])
    await store.count(new ClickBatch([message]))
  }
  const fold = () => owner.query('select fold_counters()')
  /** And packs minutes, as if columns were packed. In the lock of the folds, which add marks. */
  const rollUp = () =>
    owner.query(
      'select roll_up_counters_at(now(), 7); select hold_counters(); delete from stale_hours; select pack_minutes(60)',
    )

  await fc.assert(
    fc.asyncProperty(
      scenario,
      withinTime(60_000, async ({ before, meanwhile, foldsMeanwhile, forgotten, projectId }) => {
        await owner.query(
          'truncate clicks, counter_deltas, stale_hours, minute_counters, hour_counters, day_counters, month_counters, messages, producers',
        )
        await owner.query(
          `update rollup_horizon set hours_before = $1, days_before = $1, months_before = $1,
           hours_project = 0, hours_target = '', days_project = 0, days_target = '', months_project = 0, months_target = ''`,
          [new Date(floorToBucket(beginMs, 'month'))],
        )
        const stays = (click: Drawn) =>
          click.visitorId !== forgotten || (projectId !== undefined && click.projectId !== projectId)
        const later = meanwhile.map((clicks) => clicks.filter(stays))
        for (const { clicks, next } of before) {
          await count(clicks)
          if (next !== 'nothing') await fold()
          for (let part = 0; next === 'roll up' && part < 6; part += 1) await rollUp()
        }

        let isOver = !foldsMeanwhile
        const counting = (async () => {
          for (const clicks of later) if (clicks.length > 0) await count(clicks)
        })()
        const folding = (async () => {
          while (!isOver) {
            await fold()
            await rollUp()
          }
        })()
        const forgetting = forgetVisitor(db, {
          ...{ visitorId: forgotten, projectId, operatorName: 'test' },
          interruption: new AbortController().signal,
          onProgress: () => {},
        })
        const [result] = await Promise.all([forgetting, counting]).finally(() => {
          isOver = true
          return folding
        })

        // Deltas that were left bring nothing back, and rolled-up counters have only what is folded.
        await fold()
        const all = [...before.flatMap(({ clicks }) => clicks), ...later.flat()]
        const leaves = all.filter((click) => !stays(click))
        expect(result).toMatchObject({
          clicks: leaves.length,
          clicksBeforeHorizon: 0,
          letters: 0,
          isInterrupted: false,
        })
        const left = await owner.query(
          'select project_id from clicks where visitor_id = $1 and project_id = any ($2)',
          [...[forgotten, projectId === undefined ? [1, 2] : [projectId]]],
        )
        expect(left.rows).toEqual([])
        const kept = await owner.query('select count(*)::int as clicks, count(visitor_id)::int as named from clicks')
        const named = all.filter((click) => click.visitorId !== undefined && stays(click)).length
        expect(kept.rows).toEqual([{ clicks: all.length, named }])

        const truth = model(all.map((click) => (stays(click) ? click : { ...click, visitorId: undefined })))
        const seen = new Set<string>()
        const { rows } = await owner.query(`
        select width, start, project_id, target, sum(total)::int as total, sum(bots)::int as bots,
          visitor_sketch_union(visitors) as visitors
        from (
          select 'minute' as width, minute as start, project_id, target, total, bots, visitors from minute_counters
          union all select 'minute', minute, project_id, target, total, bots, visitors from packed_minutes
          union all select 'minute', minute, project_id, target, total, bots, visitors from counter_deltas
          union all select 'hour', hour, project_id, target, total, bots, visitors from hour_counters
          union all select 'day', day, project_id, target, total, bots, visitors from day_counters
          union all select 'month', month, project_id, target, total, bots, visitors from month_counters
        ) as counter group by 1, 2, 3, 4`)
        for (const { width, start, project_id, target, total, bots, visitors } of rows) {
          const key = [width, start.toISOString(), project_id, target].join(' ')
          seen.add(key)
          const { hashes, ...counts } = truth.get(key) ?? { hashes: new Set<number>() }
          expect({ key, total, bots, visitors }).toEqual({
            ...{ key, ...counts },
            visitors: [...hashes].sort((a, b) => a - b),
          })
        }
        for (const key of truth.keys()) if (key.startsWith('minute')) expect(seen).toContain(key)
        const onDifference = (difference: object) => {
          throw new Error(JSON.stringify(difference))
        }
        await verifyCounters(db, { from: undefined, to: undefined, onProgress: () => {}, onDifference })
      }),
    ),
    { numRuns: 40 },
  )
})
