import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { judgeThresholds } from '../thresholds/threshold-watch.ts'
import { createNotifier } from './notifier-under-test.ts'

const minuteMs = 60_000
const begin = Math.floor(Date.now() / minuteMs) * minuteMs - 600 * minuteMs
const at = (minute: number) => new Date(begin + minute * minuteMs)

/** Thresholds that were created at `at(0)`, and counts of the minutes since. */
async function createWatch() {
  const notifier = await createNotifier()
  const { ask, db } = notifier
  await ask(
    `insert into processor_progress (processor, name, counted_through, connections) values (gen_random_uuid(), 'test', $1, '{}')`,
    [at(0)],
  )
  return {
    ...notifier,
    async addThreshold(windowMinutes: number, clicks: number | null, target: string | null = null): Promise<string> {
      const [row] = await ask<{ id: string }>(
        `insert into thresholds (project_id, target, type, clicks, window_minutes, starts_at, judged_through)
         values (1, $1, $2, $3, $4, $5, $5) returning id`,
        [target, clicks === null ? 'silent' : 'reached', clicks, windowMinutes, at(0)],
      )
      return row?.id ?? ''
    },
    /** Counts clicks of a minute, as deltas that a fold moves to the counters. */
    async count(minute: number, total: number, target = 'button', isFolded = true): Promise<void> {
      await ask(
        `insert into counter_deltas (project_id, target, minute, total, bots, visitors)
         select 1, each, $2, $3, 7, '{}' from unnest(array[$1, '']) as each`,
        [target, at(minute), total],
      )
      if (isFolded) await ask('select fold_counters()')
    },
    /** Everything accepted before this minute is counted, and 10 s more. */
    async countedThrough(minute: number): Promise<void> {
      await ask('update processor_progress set counted_through = $1', [new Date(at(minute).getTime() + 10_000)])
      await judgeThresholds(db)
    },
    async events() {
      const rows = await ask<{ body: string }>('select body from webhook_events order by id')
      return rows.map(({ body }) => JSON.parse(body))
    },
  }
}

describe('a threshold', () => {
  test('is told once when a target passes the number of clicks by people, to every webhook that is not disabled by its owner', async () => {
    const watch = await createWatch()
    const webhooks = [await watch.addWebhook('http://127.0.0.1:9/'), await watch.addWebhook('http://127.0.0.1:9/')]
    await watch.addWebhook('http://127.0.0.1:9/')
    await watch.ask(`update webhooks set disabled_at = now(), disabled_because = 'owner' where id <> all($1)`, [
      webhooks,
    ])
    await watch.ask(`update webhooks set disabled_at = now(), disabled_because = 'failing' where id = $1`, [
      webhooks[0],
    ])
    const threshold = await watch.addThreshold(3, 10, 'button')
    await watch.count(1, 6)
    await watch.count(2, 90, 'other')
    await watch.countedThrough(3)
    expect(await watch.events()).toEqual([])
    await watch.count(3, 3)
    await watch.count(3, 1, 'button', false)
    await watch.countedThrough(4)
    await watch.countedThrough(6)
    expect(await watch.events()).toEqual([
      {
        type: 'threshold.reached',
        timestamp: at(4).toISOString(),
        data: {
          ...{ threshold, project: 'default', target: 'button', atLeast: 10, clicks: 10 },
          ...{ from: at(1).toISOString(), to: at(4).toISOString() },
        },
      },
    ])
    expect((await watch.deliveries()).map(({ webhook_id }) => webhook_id)).toEqual(webhooks)
  })

  test('"silent" is not told while counting is behind, and then only if there really were no clicks', async () => {
    const watch = await createWatch()
    await watch.addThreshold(5, null)
    await watch.countedThrough(4)
    // The minutes have passed, and their clicks wait in the queue.
    await watch.countedThrough(4)
    expect(await watch.events()).toEqual([])
    await watch.count(4, 1)
    await watch.count(9, 1)
    await watch.countedThrough(14)
    expect(await watch.events()).toEqual([])
    await watch.countedThrough(16)
    expect(await watch.events()).toMatchObject([
      { type: 'threshold.silent', data: { clicks: 0, from: at(10).toISOString(), to: at(15).toISOString() } },
    ])
  })

  test('is not judged while no processor has ever reported', async () => {
    const watch = await createWatch()
    await watch.addThreshold(1, null)
    await watch.ask('delete from processor_progress')
    await judgeThresholds(watch.db)
    expect(await watch.events()).toEqual([])
  })

  test('is told once by several instances that judge it at the same time', async () => {
    const watch = await createWatch()
    await watch.addWebhook('http://127.0.0.1:9/')
    for (let number = 0; number < 60; number += 1) await watch.addThreshold(1, 1)
    await watch.count(2, 1)
    const others = [watch.connect(), watch.connect()]
    await Promise.all([watch.countedThrough(5), ...others.map((db) => judgeThresholds(db))])
    await Promise.all(others.map((db) => judgeThresholds(db)))
    expect(await watch.events()).toHaveLength(60)
    expect(await watch.deliveries()).toHaveLength(60)
  })

  test('is judged for every minute that was missed while no instance ran', async () => {
    const watch = await createWatch()
    await watch.addThreshold(1, 5)
    for (const minute of [1, 3, 200, 399]) await watch.count(minute, 5)
    await watch.countedThrough(400)
    expect((await watch.events()).map(({ timestamp }) => timestamp)).toEqual(
      [2, 4, 201, 400].map((minute) => at(minute).toISOString()),
    )
  })

  test('is judged by minutes that are packed in their hour, with those that came late', async () => {
    const watch = await createWatch()
    await watch.addThreshold(1, 5, 'button')
    await watch.addThreshold(90, 13)
    for (const minute of [1, 60, 130]) await watch.count(minute, 4)
    await watch.ask('delete from stale_hours')
    while ((await watch.ask('select from minute_counters')).length > 0) await watch.ask('select pack_minutes()')
    await watch.count(130, 1)
    await watch.count(140, 4)
    await watch.countedThrough(300)
    expect((await watch.events()).map(({ data }) => [data.target, data.clicks, data.to])).toEqual([
      ['button', 5, at(131).toISOString()],
      [null, 13, at(141).toISOString()],
    ])
  })

  test('that cannot be told stays unjudged, so that it is told later', async () => {
    const watch = await createWatch()
    await watch.addThreshold(1, 1)
    await watch.count(1, 1)
    await watch.ask('revoke insert on webhook_events from clicktally_notifier')
    await expect(watch.countedThrough(3)).rejects.toThrow('permission denied')
    await watch.ask('grant insert on webhook_events to clicktally_notifier')
    await watch.countedThrough(3)
    expect(await watch.events()).toHaveLength(1)
  })
})

test('the role of the notifier reads no clicks and no visitors, and changes no counts and no thresholds', async () => {
  const { db, ask } = await createNotifier()
  const refused = async (statement: string) => {
    await expect(sql.raw(statement).execute(db), statement).rejects.toThrow('permission denied')
  }
  for (const table of [
    'clicks',
    'keys',
    'users',
    'sessions',
    'visitor_salts',
    'audit_log',
    'dead_letters',
    'messages',
  ]) {
    await refused(`select * from ${table}`)
  }
  await refused('select visitors from minute_counters')
  await refused('select visitors from counter_deltas')
  await refused('update minute_counters set total = 0')
  await refused('insert into counter_deltas values (1, $$a$$, now(), 1, 0, $${}$$)')
  await refused('update thresholds set clicks = 1')
  await refused('update webhooks set url = $$https://example.com$$')
  await refused('delete from webhooks')
  await refused('update webhook_events set body = $${}$$')
  expect(await ask(`select rolsuper from pg_roles where rolname = 'clicktally_notifier'`)).toEqual([
    { rolsuper: false },
  ])
})
