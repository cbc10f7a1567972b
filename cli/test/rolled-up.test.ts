import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { describe, expect, test } from 'vitest'
import type { CounterDifference } from '../queries/counters/counter-differences.ts'
import { type CliBench, createCliBench } from './cli-under-test.ts'

const minuteMs = 60_000

async function differencesOf({ json }: CliBench): Promise<CounterDifference[]> {
  return (await json<CounterDifference>('verify')).slice(0, -1)
}

describe('derived counters', () => {
  /** Clicks of last month, whose buckets are all complete. */
  async function countOld(bench: CliBench): Promise<{ month: string; day: string; hour: string; minute: string }> {
    await bench.startProcessor()
    const now = new Date()
    const month = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 2, 1)
    const minuteStart = month + 9 * 86_400_000 + 7 * 3_600_000 + 30 * minuteMs
    for (const target of ['a', 'b']) {
      for (const occurredAtMs of [minuteStart, minuteStart + minuteMs, minuteStart + 3_600_000]) {
        const visitorId = `visitor ${target}`
        await bench.send(createClick({ id: randomUuidV7(occurredAtMs), target, occurredAtMs, visitorId }))
      }
    }
    await bench.untilProcessed()
    await bench.ask('select fold_counters()')
    const [day, hour] = [month + 9 * 86_400_000, month + 9 * 86_400_000 + 7 * 3_600_000]
    const text = (timeMs: number) => new Date(timeMs).toISOString()
    return { month: text(month), day: text(day), hour: text(hour), minute: text(minuteStart) }
  }

  test('verify finds a wrong hour, a missing day, an extra month, and wrong minutes of all targets together; rebuild repairs them', async () => {
    const bench = await createCliBench()
    const { month, day, hour, minute } = await countOld(bench)
    expect(await differencesOf(bench)).toEqual([])
    await bench.ask(`update hour_counters set total = 5 where target = 'a' and hour = $1`, [hour])
    await bench.ask(`delete from day_counters where target = ''`)
    await bench.ask(
      `insert into month_counters (project_id, month, target, total, bots, visitors) values (1, $1, 'phantom', 1, 1, '{}')`,
      [month],
    )
    await bench.ask(`update minute_counters set visitors = '{}' where target = '' and minute = $1`, [minute])
    const differences = await differencesOf(bench)
    const seen = differences.map(({ bucket, target, start, counter, clicks }) => [
      bucket,
      target,
      start,
      counter?.total,
      clicks?.total,
    ])
    expect(seen.sort()).toEqual(
      [
        ['day', '', day, undefined, 6],
        ['hour', 'a', hour, 5, 2],
        ['month', '', month, 6, undefined],
        ['month', 'phantom', month, 1, undefined],
        ['day', 'a', day, 3, 6],
        ['minute', '', minute, 2, 2],
      ].sort(),
    )
    const { stdout } = await bench.run('verify')
    expect(stdout).toMatch(/^minute .* \(all targets\)$/m)
    expect(await bench.run('rebuild', '--yes')).toMatchObject({ code: 0 })
    expect(await differencesOf(bench)).toEqual([])
  })

  test('rebuild repairs counters derived from wrong minutes too', async () => {
    const bench = await createCliBench()
    await countOld(bench)
    await bench.ask(`update minute_counters set total = total + 10`)
    await bench.ask(`update hour_counters set total = total + 10`)
    await bench.ask(`delete from day_counters`)
    const { code, stdout } = await bench.run('rebuild', '--yes')
    expect(code, stdout).toBe(0)
    const sums = await bench.ask(`
      select target, sum(total)::int as total from hour_counters group by 1
      union all select target, sum(total)::int from day_counters group by 1
      union all select target, sum(total)::int from month_counters group by 1
      order by 1, 2`)
    expect(sums).toEqual(
      ['', '', '', 'a', 'a', 'a', 'b', 'b', 'b'].map((target) => ({ target, total: target === '' ? 6 : 3 })),
    )
  })

  test('verify finds packed minutes that are wrong or lost, and rebuild repairs them', async () => {
    const bench = await createCliBench()
    const { hour, minute } = await countOld(bench)
    const pack = async () => {
      await bench.ask('delete from stale_hours')
      while ((await bench.ask('select from minute_counters')).length > 0) await bench.ask('select pack_minutes()')
    }
    await pack()
    expect(await bench.ask('select count(*)::int as minutes from packed_minutes')).toEqual([{ minutes: 9 }])
    expect(await differencesOf(bench)).toEqual([])
    expect(await bench.json('balance')).toMatchObject([{ counted: 6, counters: 6 }])
    // A click more in the first minute of "a"; all minutes of "b"; a visitor of all targets together.
    await bench.ask(`update hour_counters set minutes[2] = minutes[2] + (1 << 23) where target = 'a' and hour = $1`, [
      hour,
    ])
    await bench.ask(`update hour_counters set minutes = null where target = 'b' and hour = $1`, [hour])
    const seen = (await differencesOf(bench)).map(({ bucket, target, start, counter, clicks }) => [
      ...[bucket, target, start, counter?.total, clicks?.total],
    ])
    const next = new Date(Date.parse(minute) + minuteMs).toISOString()
    expect(seen.sort()).toEqual(
      [
        ['minute', 'a', minute, 2, 1],
        ['minute', 'b', minute, undefined, 1],
        ['minute', 'b', next, undefined, 1],
      ].sort(),
    )
    expect(await bench.run('rebuild', '--yes')).toMatchObject({ code: 0 })
    expect(await differencesOf(bench)).toEqual([])
    await pack()
    await bench.ask(`update hour_counters set minutes[2] = minutes[2] + (1 << 23) where target = '' and hour = $1`, [
      hour,
    ])
    expect(await differencesOf(bench)).toMatchObject([
      { bucket: 'hour', target: '', start: hour, counter: { total: 4 }, clicks: { total: 5 } },
      { bucket: 'minute', target: '', start: minute, counter: { total: 3 }, clicks: { total: 2 } },
    ])
    expect(await bench.run('rebuild', '--yes')).toMatchObject({ code: 0 })
    expect(await differencesOf(bench)).toEqual([])
    await pack()
    expect(await differencesOf(bench)).toEqual([])
  })

  test('verify and rebuild are exact if a fold has processed only some targets', async () => {
    const bench = await createCliBench()
    await bench.ask('select create_click_partition(current_date)')
    const clicks = ['a', 'b', 'b']
    const minute = new Date(Math.floor(Date.now() / minuteMs) * minuteMs).toISOString()
    for (const target of clicks) {
      await bench.ask(
        `insert into clicks (id, project_id, occurred_at, received_at, bot, target) values ($1, 1, $2, $2, false, $3)`,
        [randomUuidV7(Date.now()), minute, target],
      )
    }
    const count = (table: string, target: string, total: number) =>
      bench.ask(
        `insert into ${table} (project_id, minute, target, total, bots, visitors) values (1, $1, $2, $3, 0, '{}')`,
        [minute, target, total],
      )
    await count('minute_counters', 'a', 1)
    await count('minute_counters', 'b', 1)
    await count('minute_counters', '', 1)
    await count('counter_deltas', 'b', 1)
    await count('counter_deltas', '', 2)
    expect(await differencesOf(bench)).toEqual([])
    await bench.ask(`update minute_counters set total = total + 3`)
    expect(await bench.run('rebuild', '--yes')).toMatchObject({ code: 0 })
    const counters = () => bench.ask(`select target, total from minute_counters order by target`)
    expect(await counters()).toEqual(['', 'a', 'b'].map((target) => ({ target, total: 1 })))
    // All of it waits.
    await bench.ask(`update minute_counters set total = 7 where target = ''`)
    await count('counter_deltas', '', 1)
    expect(await differencesOf(bench)).toMatchObject([{ target: '', counter: { total: 10 }, clicks: { total: 3 } }])
    expect(await bench.run('rebuild', '--yes')).toMatchObject({ code: 0 })
    expect(await counters()).toEqual(['a', 'b'].map((target) => ({ target, total: 1 })))
    await bench.ask('select fold_counters()')
    expect(await counters()).toEqual([3, 1, 2].map((total, index) => ({ target: ['', 'a', 'b'][index], total })))
    expect(await differencesOf(bench)).toEqual([])
  })
})
