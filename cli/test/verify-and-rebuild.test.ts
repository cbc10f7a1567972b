import { setTimeout as sleep } from 'node:timers/promises'
import type { Click } from '@clicktally/event/click.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type CliBench, createCliBench } from './cli-under-test.ts'

const minuteMs = 60_000
const dayMs = 86_400_000

interface Difference {
  bucket: string
  projectId: number
  target: string
  start: string
  counter: { total: number; bots: number; visitors: number } | null
  clicks: { total: number; bots: number; visitors: number } | null
}

interface Summary {
  clicks: number
  counters: number
  differences: number
  from: string | null
  to: string | null
  horizon: { keptSince: string; completeSince: string } | null
}

async function verify({ json }: CliBench, ...args: string[]): Promise<{ differences: Difference[]; summary: Summary }> {
  const objects = await json<Difference | Summary>('verify', ...args)
  return { differences: objects.slice(0, -1) as Difference[], summary: objects.at(-1) as Summary }
}

/** Counted and folded clicks in some minutes and on some targets, by returning visitors and bots. */
async function countSome(bench: CliBench): Promise<{ minutes: string[] }> {
  await bench.startProcessor()
  const first = Math.floor(Date.now() / minuteMs) * minuteMs - 10 * minuteMs
  for (const minute of [0, 1, 5]) {
    for (const target of ['a', 'b']) {
      const clicks = Array.from({ length: 12 }, (_, index) =>
        createClick({
          target,
          occurredAtMs: first + minute * minuteMs + index * 5_000,
          visitorId: `visitor ${index % 5}`,
          ...(index === 11 && { bot: true as const }),
        }),
      )
      await bench.send(...clicks)
    }
  }
  await bench.untilProcessed()
  await bench.ask('select fold_counters()')
  return { minutes: [0, 1, 5].map((minute) => new Date(first + minute * minuteMs).toISOString()) }
}

const right = { total: 11, bots: 1, visitors: 5 }
const minute = { bucket: 'minute', projectId: 1 }

describe('verify', () => {
  test('finds nothing if all counters are right', async () => {
    const bench = await createCliBench()
    expect((await bench.run('verify')).stdout).toBe('There are neither clicks nor counters in this time range.\n')
    await countSome(bench)
    const { differences, summary } = await verify(bench)
    expect(differences).toEqual([])
    expect(summary).toMatchObject({ clicks: 72, counters: 6, differences: 0 })
    const { code, stdout } = await bench.run('verify')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^72 clicks and 6 counters from .* to .*: no difference\.\n$/)
  })

  test('finds a deleted counter, a wrong total, wrong bots, a wrong sketch, and a counter without clicks', async () => {
    const bench = await createCliBench()
    const { minutes } = await countSome(bench)
    const [first, second, third] = minutes
    await bench.ask(`delete from minute_counters where target = 'a' and minute = $1`, [first])
    await bench.ask(`update minute_counters set total = total + 2 where target = 'b' and minute = $1`, [first])
    await bench.ask(`update minute_counters set bots = 0 where target = 'a' and minute = $1`, [second])
    await bench.ask(`update minute_counters set visitors = visitors[1:3] where target = 'b' and minute = $1`, [second])
    await bench.ask(`update minute_counters set visitors[5] = visitors[5] - 1 where target = 'a' and minute = $1`, [
      third,
    ])
    await bench.ask(
      `insert into minute_counters (project_id, minute, target, total, bots, visitors) values (7, $1, 'phantom', 0, 0, '{}')`,
      [third],
    )
    const { differences, summary } = await verify(bench)
    expect(differences).toEqual([
      { ...minute, target: 'a', start: first, counter: null, clicks: right },
      { ...minute, target: 'b', start: first, counter: { ...right, total: 13 }, clicks: right },
      { ...minute, target: 'a', start: second, counter: { ...right, bots: 0 }, clicks: right },
      { ...minute, target: 'b', start: second, counter: { ...right, visitors: 3 }, clicks: right },
      { ...minute, target: 'a', start: third, counter: right, clicks: right },
      {
        ...minute,
        projectId: 7,
        target: 'phantom',
        start: third,
        counter: { total: 0, bots: 0, visitors: 0 },
        clicks: null,
      },
    ])
    expect(summary).toMatchObject({ differences: 6 })
    const { code, stdout } = await bench.run('verify')
    expect(code).toBe(1)
    expect(stdout).toMatch(/ +1 +nothing +11 \+ 1 by bots, 5 visitors +a\n/)
    expect(stdout).toMatch(/ +1 +11 \+ 1 by bots, 5 visitors \(others\) +11 \+ 1 by bots, 5 visitors +a\n/)
    expect(stdout).toMatch(/: 6 DIFFERENCES\.\n$/)
  })

  test('finds clicks outside the time range of the counters, and without any counter', async () => {
    const bench = await createCliBench()
    const { minutes } = await countSome(bench)
    await bench.ask('delete from minute_counters where minute <> $1', [minutes[1]])
    expect((await verify(bench)).differences.map(({ start }) => start)).toEqual([
      minutes[0],
      minutes[0],
      minutes[2],
      minutes[2],
    ])
    await bench.ask('delete from minute_counters')
    expect((await verify(bench)).differences).toHaveLength(6)
  })

  test('is restricted to a half-open range of whole minutes', async () => {
    const bench = await createCliBench()
    const { minutes } = await countSome(bench)
    await bench.ask('update minute_counters set total = 0')
    const found = async (...args: string[]) => [
      ...new Set((await verify(bench, ...args)).differences.map(({ start }) => start)),
    ]
    expect(await found('--from', minutes[1] ?? '')).toEqual(minutes.slice(1))
    expect(await found('--to', minutes[1] ?? '')).toEqual(minutes.slice(0, 1))
    const inside = (minutes[1] ?? '').replace(':00.000Z', ':30Z')
    expect(await found('--from', inside, '--to', inside)).toEqual([minutes[1]])
    expect((await bench.run('verify', '--from', '1h', '--to', '2h')).stderr).toBe('--from must be before --to.\n')
  })

  test('is exact while clicks arrive', async () => {
    const bench = await createCliBench()
    const load = startLoad(bench)
    await bench.startProcessor()
    await bench.startProcessor()
    for (let round = 0; round < 5; round += 1) {
      const { differences } = await verify(bench)
      expect(differences).toEqual([])
    }
    await load.stop()
  })

  test('compares more rows than it fetches at a time', async () => {
    const bench = await createCliBench()
    await bench.ask(`
      insert into minute_counters (project_id, minute, target, total, bots, visitors)
      select 1, date_trunc('minute', now()) - n % 3000 * interval '1 minute', 'target ' || n, 1, 0, '{}' from generate_series(1, 7000) n`)
    const { differences, summary } = await verify(bench)
    expect(summary).toMatchObject({ clicks: 0, counters: 7_000, differences: 7_000 })
    expect(new Set(differences.map(({ target }) => target)).size).toBe(7_000)
  })
})

/** Sends clicks on few targets in these minutes, until it is stopped. */
function startLoad(bench: CliBench): { stop: () => Promise<number> } {
  let stopped = false
  const sending = (async () => {
    let sent = 0
    while (!stopped) {
      const clicks = Array.from({ length: 50 }, (_, index) =>
        createClick({
          target: `target ${index % 4}`,
          occurredAtMs: Date.now() - (sent % 3) * minuteMs,
          visitorId: `visitor ${(sent + index) % 3_000}`,
          ...(index % 10 === 0 && { bot: true as const }),
        }),
      )
      await bench.send(...clicks)
      sent += clicks.length
      await sleep(5)
    }
    return sent
  })()
  const stop = async () => {
    stopped = true
    return await sending
  }
  onTestFinished(async () => void (await stop()))
  return { stop }
}

describe('rebuild', () => {
  test('repairs the counters and prints a summary', async () => {
    const bench = await createCliBench()
    const { minutes } = await countSome(bench)
    await bench.ask(`delete from minute_counters where target = 'a'`)
    await bench.ask(`update minute_counters set total = 99, visitors = '{}' where target = 'b' and minute = $1`, [
      minutes[2],
    ])
    await bench.ask(
      `insert into minute_counters (project_id, minute, target, total, bots, visitors) values (1, $1, 'phantom', 3, 0, '{}')`,
      [minutes[2]],
    )
    const { code, stdout } = await bench.run('rebuild', '--yes')
    expect(code).toBe(0)
    expect(stdout).toMatch(/5 DIFFERENCES\.\n.*no difference\.\nRepaired 5 counters\.\n$/s)
    expect((await verify(bench)).differences).toEqual([])
    expect(await bench.tally()).toEqual({ stored: 72, counted: 72 })
    expect(await bench.run('rebuild', '--yes')).toMatchObject({ code: 0 })
  })

  test('asks for confirmation, and changes nothing without a terminal', async () => {
    const bench = await createCliBench()
    await countSome(bench)
    await bench.ask('update minute_counters set total = 0')
    const { code, stderr } = await bench.run('rebuild')
    expect(code).toBe(2)
    expect(stderr).toBe('Recompute 6 counters from the raw clicks? There is no terminal to confirm: use --yes.\n')
    expect((await verify(bench)).differences).toHaveLength(6)
  })

  test('repairs only the given minutes', async () => {
    const bench = await createCliBench()
    const { minutes } = await countSome(bench)
    await bench.ask('delete from minute_counters')
    await bench.run('rebuild', '--from', minutes[1] ?? '', '--to', minutes[2] ?? '', '--yes')
    const rows = await bench.ask<{ minute: Date }>('select minute from counters')
    expect(rows.map(({ minute }) => minute.toISOString())).toEqual([minutes[1], minutes[1]])
  })

  test('is exact while processors count and counters are being damaged', async () => {
    const bench = await createCliBench()
    for (let processor = 0; processor < 3; processor += 1) await bench.startProcessor({ maxClicks: 200 })
    const load = startLoad(bench)
    await vi.waitFor(async () => expect((await bench.tally()).counted).toBeGreaterThan(2_000), patience)
    const folding = setInterval(() => void bench.ask('select fold_counters()'), 20)
    onTestFinished(() => clearInterval(folding))
    for (let round = 0; round < 10; round += 1) {
      // Between two folds: changing counters without the lock may deadlock with a fold.
      await bench.ask(`
        select hold_counters();
        delete from minute_counters where target = 'target 1';
        update minute_counters set total = total + 1000 where target = 'target 2';
        update minute_counters set visitors = '{}', bots = bots + 7 where target = 'target 3';
        insert into minute_counters (project_id, minute, target, total, bots, visitors)
        select 1, date_trunc('minute', now()), 'phantom ' || n, 5, 5, '{1}' from generate_series(1, 20) n`)
      const { code, stdout } = await bench.run('rebuild', '--yes')
      expect(stdout).toMatch(/DIFFERENCES/)
      expect(code, stdout).toBe(0)
    }
    const sent = await load.stop()
    await bench.untilProcessed()
    expect(await bench.tally()).toEqual({ stored: sent, counted: sent })
    expect((await verify(bench)).differences).toEqual([])
    clearInterval(folding)
    await bench.ask('select fold_counters()')
    expect((await verify(bench)).differences).toEqual([])
  })
})

describe('after old raw clicks were dropped', () => {
  /** Clicks on three days two months ago, and of now. Returns the start of the second day. */
  async function countOfDays(bench: CliBench): Promise<{ secondDayMs: number; old: Click[] }> {
    await bench.startProcessor()
    const now = new Date()
    const firstDayMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() - 3)
    const old = [0, 1, 2].flatMap((day) =>
      ['a', 'b'].map((target) => {
        const occurredAtMs = firstDayMs + day * dayMs + 7 * 3_600_000
        return createClick({ id: randomUuidV7(occurredAtMs), target, occurredAtMs, visitorId: 'visitor' })
      }),
    )
    await bench.send(...old, createClick({ target: 'a' }))
    await bench.untilProcessed()
    await bench.ask('select fold_counters()')
    return { secondDayMs: firstDayMs + dayMs, old }
  }
  const dayOf = (timeMs: number) => new Date(timeMs).toISOString().slice(0, 10)
  const counters = (bench: CliBench) =>
    bench.ask(`
      select 'minute' as width, minute as start, target, total, bots, visitors from minute_counters
      union all select 'hour', hour, target, total, bots, visitors from hour_counters
      union all select 'day', day, target, total, bots, visitors from day_counters
      union all select 'month', month, target, total, bots, visitors from month_counters
      order by 1, 2, 3`)

  test('verify states the horizon and finds no difference, and rebuild changes nothing before it', async () => {
    const bench = await createCliBench()
    const { secondDayMs } = await countOfDays(bench)
    await bench.ask('select keep_raw_clicks_since($1)', [dayOf(secondDayMs)])
    await bench.ask(`drop table clicks_${dayOf(secondDayMs - dayMs).replaceAll('-', '')}`)
    const before = await counters(bench)
    const { code, stdout } = await bench.run('verify')
    expect(stdout).toMatch(/^5 clicks and 5 counters .*: no difference\.\n/)
    const since = `${dayOf(secondDayMs)}T00:00Z`
    expect(stdout).toContain(`Raw clicks are kept since ${since}. Counters before ${since} cannot be recomputed`)
    expect(code).toBe(0)
    const { summary } = await verify(bench, '--from', dayOf(secondDayMs - dayMs))
    expect(summary).toMatchObject({ differences: 0, horizon: { completeSince: new Date(secondDayMs).toISOString() } })
    // A range after the horizon is complete.
    expect((await verify(bench, '--from', new Date(secondDayMs).toISOString())).summary).toMatchObject({
      differences: 0,
      horizon: null,
    })

    expect(await bench.run('rebuild', '--yes')).toMatchObject({ code: 0 })
    expect(await counters(bench)).toEqual(before)
    // Counters after the horizon are repaired, but not those before it.
    await bench.ask('update minute_counters set total = total + 1 where target <> $1', [''])
    expect(await bench.run('rebuild', '--yes')).toMatchObject({ code: 0 })
    const damaged = await bench.ask<{ start: Date }>(
      `select minute as start from minute_counters where target <> '' and total = 2 order by 1`,
    )
    expect(damaged.map(({ start }) => start.getTime() < secondDayMs)).toEqual([true, true])
  })

  test('a resent click from before the horizon becomes a dead letter, and no count changes', async () => {
    const bench = await createCliBench()
    const { secondDayMs, old } = await countOfDays(bench)
    const firstDay = dayOf(secondDayMs - dayMs)
    const partition = `clicks_${firstDay.replaceAll('-', '')}`
    const before = await counters(bench)
    const expectRefused = async (letters: number) => {
      await bench.send(...old, createClick({ target: 'new', id: randomUuidV7(secondDayMs - 1) }))
      await bench.untilProcessed()
      await bench.ask('select fold_counters()')
      const reasons = (await bench.deadLetters()).map(({ reason }) => reason)
      expect(reasons).toEqual(Array.from({ length: letters }, () => 'id_before_horizon'))
      expect(await counters(bench)).toEqual(before)
    }
    await bench.ask('select keep_raw_clicks_since($1)', [dayOf(secondDayMs)])
    // The partition still exists but accepts no clicks, and it is not created again after it was dropped.
    await expectRefused(3)
    await bench.ask(`drop table ${partition}`)
    await expectRefused(6)
    expect(await bench.ask('select to_regclass($1) as partition', [partition])).toEqual([{ partition: null }])
    expect(await bench.balance()).toMatchObject({ dead: 6, duplicates: 8, overdue: 0 })
  })

  test('the horizon is after all clicks of dropped partitions, and never moves back', async () => {
    const bench = await createCliBench()
    const { secondDayMs } = await countOfDays(bench)
    // Its id is from the first day, but it occurred on the third.
    const occurredAtMs = secondDayMs + dayMs + 5 * minuteMs
    await bench.send(createClick({ id: randomUuidV7(secondDayMs - 1_000), occurredAtMs }))
    await bench.untilProcessed()
    await bench.ask('select keep_raw_clicks_since($1)', [dayOf(secondDayMs)])
    await bench.ask('select keep_raw_clicks_since($1)', [dayOf(secondDayMs - 5 * dayMs)])
    const horizon = await bench.ask('select kept_since, complete_since from raw_clicks')
    expect(horizon).toEqual([{ kept_since: new Date(secondDayMs), complete_since: new Date(occurredAtMs + minuteMs) }])
    await bench.ask(`drop table clicks_${dayOf(secondDayMs - dayMs).replaceAll('-', '')}`)
    expect((await verify(bench)).summary).toMatchObject({ differences: 0, clicks: 3 })
    // A past month has a single partition, unless a part of it is before the horizon.
    const monthMs = Date.UTC(2021, 4, 1)
    await bench.ask(`update raw_clicks set kept_since = '2021-05-10T00:00Z'`)
    await bench.ask(`select create_click_partition('2021-05-20'), create_click_partition('2021-06-20')`)
    await expect(bench.ask('select create_click_partition($1)', [dayOf(monthMs)])).rejects.toMatchObject({
      constraint: 'id_before_horizon',
    })
    const partitions = await bench.ask(
      `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'clicks'::regclass
         and inhrelid::regclass::text ~ 'clicks_2021' order by 1`,
    )
    expect(partitions).toEqual([{ name: 'clicks_20210520' }, { name: 'clicks_202106' }])
  })
})
