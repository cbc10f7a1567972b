import { createPool } from '@clicktally/database/pool.ts'
import type { Click } from '@clicktally/event/click.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { withinTime } from '@clicktally/testing/within-time.ts'
import fc from 'fast-check'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { minuteLengthMs } from '../rows/row-writer.ts'
import { counterDeltas } from '../store/counter-deltas.ts'
import { consumedMessage, createClick } from './processor-under-test.ts'

/** Few values of each kind, so that clicks meet in the same counter. */
const content = fc.record(
  {
    projectId: fc.constantFrom(1, 2),
    target: fc.constantFrom('a', 'b', 'c "quoted"'),
    occurredAtMs: fc
      .tuple(
        fc.constantFrom(-62_135_596_800_000, -3 * minuteLengthMs, 0, 1_763_700_000_000, 253_402_300_740_000),
        fc.oneof(fc.integer({ min: 0, max: 2 * minuteLengthMs - 1 }), fc.constantFrom(0, 59_999, 59_999.75, 60_000)),
      )
      .map(([minuteMs, ms]) => Math.min(minuteMs + ms, 253_402_300_799_999)),
    visitorId: fc.constantFrom('', 'ann', 'bob', 'cäcilie'),
    bot: fc.constant(true as const),
  },
  { requiredKeys: ['projectId', 'target', 'occurredAtMs'] },
)

const stamp = { producer: '0f8fad5b-d9cb-469f-a165-70867728950e', sequence: 1, clicks: 1, settled: 0, confirmed: 0 }

test('clicks count towards the same in the processor as in the database, where counters are verified and rebuilt', async () => {
  const { ownerUrl } = await createTestDatabase()
  const logger = pino({ level: 'silent' })
  const owner = createPool({ url: ownerUrl, name: 'test', logger, maxConnections: 1, statementTimeoutMs: 5_000 })
  onTestFinished(() => owner.end())
  await fc.assert(
    fc.asyncProperty(
      fc.array(content, { minLength: 1, maxLength: 30 }),
      withinTime(20_000, async (contents) => {
        const clicks = contents.map((some) => createClick(some as Partial<Click>))
        const { rows } = await owner.query(
          `select
           project_id, coalesce(target, '') as target, extract(epoch from minute)::float8 / 60 as minute,
           sum(total)::int as total, sum(bots)::int as bots,
           visitor_sketch(array_agg(distinct visitor) filter (where visitor is not null)) as visitors
         from unnest($1::int[], $2::text[], $3::timestamptz[], $4::boolean[], $5::text[])
             as click (project_id, target, occurred_at, bot, visitor_id)
           cross join lateral click_count(project_id, occurred_at, bot, visitor_id)
         group by project_id, minute, grouping sets ((target), ())`,
          [
            clicks.map(({ projectId }) => projectId),
            clicks.map(({ target }) => target),
            clicks.map(({ occurredAtMs }) => new Date(occurredAtMs).toISOString()),
            clicks.map(({ bot }) => bot === true),
            clicks.map(({ visitorId }) => visitorId ?? null),
          ],
        )
        const deltas = counterDeltas(consumedMessage(stamp, clicks).clicks).map(
          ({ projectId, visitors, ...delta }) => ({
            project_id: projectId,
            ...delta,
            visitors: Array.from(visitors.sketch()),
          }),
        )
        expect(deltas.toSorted(byKey)).toEqual(rows.toSorted(byKey))
      }),
    ),
    { numRuns: 300 },
  )
})

interface Key {
  readonly project_id: number
  readonly minute: number
  readonly target: string
}

function byKey(a: Key, b: Key): number {
  return a.project_id - b.project_id || a.minute - b.minute || (a.target < b.target ? -1 : 1)
}
