import { createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { expect, test } from 'vitest'
import { rebuildCounters } from '../counters/rebuilding.ts'
import { verifyCounters } from '../counters/verification.ts'
import type { CounterKey } from '../queries/counters/counter-differences.ts'
import { withDatabase } from '../system/database.ts'
import { createCliBench } from './cli-under-test.ts'

const minuteMs = 60_000

test('statements that time out are divided, in the same snapshot', async () => {
  const { startProcessor, send, untilProcessed, ask, tally, variables } = await createCliBench()
  await startProcessor()
  const now = Date.now()
  for (let minute = 0; minute < 6; minute += 1) {
    const occurredAtMs = now - minute * minuteMs
    await send(
      ...Array.from({ length: 10 }, (_, index) => createClick({ occurredAtMs, visitorId: `visitor ${index}` })),
    )
  }
  await untilProcessed()
  await ask('select fold_counters()')
  // 20 ms for each click that is not a bot's.
  await ask(`
    create or replace function visitor_hash(project_id int, visitor_id text) returns int language plpgsql immutable strict
    as $$ begin
      perform pg_sleep(0.02);
      return (hashtextextended(visitor_id, project_id) & 2147483647)::int;
    end $$`)
  await ask(`update minute_counters set total = 99 where target <> ''`)
  await withDatabase(variables.CLICKTALLY_DATABASE_URL ?? '', async (db) => {
    const keys: CounterKey[] = []
    const options = { from: undefined, to: undefined, onProgress: () => {}, giveUpAfterMs: 500 }
    const { clicks, differences } = await verifyCounters(db, { ...options, onDifference: (key) => void keys.push(key) })
    expect({ clicks, differences }).toEqual({ clicks: 60, differences: 6 })
    const interruption = new AbortController().signal
    expect(await rebuildCounters(db, keys, { interruption, withinMs: 500 })).toBe(6)
    expect(await tally()).toEqual({ stored: 60, counted: 60 })
  })
})
