import { spawn } from 'node:child_process'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { ArchiveStore } from '@clicktally/archive/archive-store.ts'
import { FolderStore } from '@clicktally/archive/folder-store.ts'
import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import type { StepName } from '../archiving/step.ts'
import {
  createJanitorBench,
  dayMs,
  type JanitorBench,
  manifestsIn,
  oldClick,
  otherProject,
} from './janitor-under-test.ts'

/** Of both projects: old and new ones. */
async function countSome(bench: JanitorBench): Promise<string[]> {
  const props = { plan: 'pro "1"', price: 1.5, 'ü\u2028': null, text: 'a\\b\nc' }
  await bench.count(
    oldClick(45, { visitorId: 'ann', props }),
    oldClick(45.1, { url: 'https://shop.example/ä', bot: true }),
    oldClick(45, { projectId: otherProject }),
    oldClick(90, { visitorId: 'bob' }),
    oldClick(9, { target: 'kept' }),
    oldClick(9, { projectId: otherProject }),
  )
  await bench.pack()
  return await bench.stored()
}

describe('raw clicks that are older than their project keeps them', () => {
  test('are archived and removed; others and all counts stay', async () => {
    const bench = await createJanitorBench()
    await countSome(bench)
    const counters = await bench.counters()
    const before = await bench.ask<{ id: string }>(
      `select id from clicks where project_id = 1 and target = 'button' order by id`,
    )
    expect(await bench.janitor().run()).toBe(true)
    expect(await bench.stored()).toHaveLength(1)
    expect(await bench.stored(otherProject)).toHaveLength(2)
    expect(await bench.counters()).toEqual(counters)
    const archived = await bench.archived()
    expect(archived).toEqual(before.map(({ id }) => id))
    // The partition in which only the first project had clicks is gone, the other one is needed.
    expect(await bench.partitions()).toHaveLength(await partitionsOf(bench, otherProject))
    const manifests = await manifestsIn(bench.store)
    expect(manifests.reduce((sum, { clicks }) => sum + clicks, 0)).toBe(3)
    expect(manifests[0]).toMatchObject({ project: { id: 1, name: 'default' } })

    // A second run finds nothing to do.
    const again = await bench.store.list('')
    expect(await bench.janitor().run()).toBe(true)
    expect(await bench.store.list('')).toEqual(again)
  })

  test('are archived in the order of their ids, however many pages they are', async () => {
    const bench = await createJanitorBench()
    // Four full pages, and one click.
    await bench.count(...Array.from({ length: 8_001 }, () => oldClick(45)))
    await bench.pack()
    const stored = await bench.stored()
    await bench.janitor().run()
    const lines = await linesArchived(bench)
    expect(lines.map((line) => JSON.parse(line).id)).toEqual(stored)
    const manifests = await manifestsIn(bench.store)
    expect([manifests[0]?.firstId, manifests.at(-1)?.lastId]).toEqual([stored[0], stored.at(-1)])
    expect(await bench.stored()).toEqual([])
  })

  test('stay in the archive if a database without clicks of the project uses the same one', async () => {
    const bench = await createJanitorBench()
    await countSome(bench)
    await bench.janitor().run()
    const archived = await bench.archived()
    expect(archived).toHaveLength(3)
    const other = await createJanitorBench()
    for (const daysAgo of [45, 90]) await other.count(oldClick(daysAgo, { projectId: otherProject }))
    await other.pack()
    expect(await other.janitor({ store: bench.store }).run()).toBe(true)
    expect(await bench.archived()).toEqual(archived)
  })

  test('are not archived beside an archive of other clicks, as of before a restore, which stays', async () => {
    const bench = await createJanitorBench()
    await bench.count(oldClick(45), oldClick(45))
    await bench.pack()
    await bench.janitor().run()
    const [files, archived] = [await bench.store.list(''), await bench.archived()]
    const manifest = files.find((name) => name.endsWith('.json')) ?? ''
    // A database that never had these clicks, but others of that day.
    const other = await createJanitorBench()
    await other.count(oldClick(45), oldClick(45), oldClick(90))
    await other.pack()
    const stored = await other.stored()
    await expect(other.janitor({ store: bench.store }).run()).rejects.toThrow(
      `${manifest} in ${bench.folder} describes 2`,
    )
    // What is not in question was archived.
    expect(await other.stored()).toEqual(stored.slice(1))
    expect(await bench.store.list('')).toEqual(expect.arrayContaining(files))
    expect(await bench.archived()).toEqual([stored[0], ...archived].sort())
    for (const name of files) await rename(join(bench.folder, name), join(bench.folder, basename(name)))
    expect(await other.janitor({ store: bench.store }).run()).toBe(true)
    expect([await other.stored(), await bench.archived()]).toEqual([[], stored])
  })

  test('stay if an archive that was verified is gone, and are archived again by the next run', async () => {
    const bench = await createJanitorBench()
    await bench.count(oldClick(45))
    await bench.fold()
    await bench.janitor().run()
    const stored = await bench.stored()
    expect(await bench.archived()).toEqual(stored)
    await rename(join(bench.folder, 'project-1'), join(bench.folder, 'lost'))
    await bench.pack()
    await bench.janitor().run()
    expect([await bench.stored(), await bench.archived()]).toEqual([[], stored])
  })

  test('are refused when they are sent again, and so are others of the project that are as old', async () => {
    const bench = await createJanitorBench()
    const sent = oldClick(45)
    await bench.count(sent, oldClick(90, { projectId: otherProject }))
    await bench.pack()
    await bench.janitor().run()
    const counters = await bench.counters()
    await bench.count(sent)
    await bench.count(oldClick(90))
    await bench.fold()
    expect(await bench.counters()).toEqual(counters)
    expect(await bench.ask('select reason from dead_letters')).toEqual([
      { reason: 'id_before_horizon' },
      { reason: 'id_before_horizon' },
    ])
    // The other project keeps its clicks, so old ones are counted.
    await bench.count(oldClick(45, { projectId: otherProject }))
    expect(await bench.stored(otherProject)).toHaveLength(2)
  })

  test('stay until their hours are packed', async () => {
    const bench = await createJanitorBench()
    await bench.count(oldClick(45))
    await bench.fold()
    let waiting = -1
    const metrics = {
      archived() {},
      removed() {},
      waiting: (archives: number) => {
        waiting = archives
      },
    }
    expect(await bench.janitor({ metrics }).run()).toBe(true)
    expect([await bench.stored(), waiting]).toEqual([await bench.archived(), 1])
    await bench.pack()
    await bench.janitor({ metrics }).run()
    expect([await bench.stored(), waiting]).toEqual([[], 0])
  })

  test.each([
    [
      'a prop is declared',
      (bench: JanitorBench) => bench.ask(`update projects set dimensions = '{plan}' where id = 1`),
    ],
    [
      'a click with a young id occurred before the horizon',
      (bench: JanitorBench) => bench.count({ ...oldClick(9), occurredAtMs: Date.now() - 45 * dayMs }),
    ],
  ])('are removed although %s after earlier ones were', async (_, change) => {
    const bench = await createJanitorBench()
    await bench.count(oldClick(90), oldClick(45))
    await bench.pack()
    await bench.janitor().run()
    expect(await bench.stored()).toEqual([])
    await change(bench)
    await bench.count(oldClick(11))
    const kept = await bench.stored()
    await bench.pack()
    await bench.janitor().run()
    expect(await bench.stored()).toEqual(kept.slice(1))
    expect(await bench.ask(`select from stale_hours where hour < now() - interval '40 days'`)).toEqual([])
  })

  test('stay while somebody reads their partition, whom nobody has to wait for, and the next run drops it', async () => {
    const bench = await createJanitorBench()
    await bench.count(oldClick(45))
    await bench.pack()
    const [partition = ''] = await bench.partitions()
    let waiting = -1
    const metrics = {
      archived() {},
      removed() {},
      waiting: (archives: number) => {
        waiting = archives
      },
    }
    const reader = new Client({ connectionString: bench.urls.ownerUrl })
    await reader.connect()
    await reader.query(`begin; lock table ${partition} in access share mode`)
    let isOver = false
    const run = bench
      .janitor({ metrics })
      .run()
      .finally(() => {
        isOver = true
      })
    // As processors and the api would, without a wait of 50 ms.
    let used = 0
    while (!isOver) {
      await bench.ask(
        `begin; set local lock_timeout = 50; select count(*) from clicks;
         insert into clicks (id, project_id, occurred_at, received_at, bot, target) select uuidv7(), 2, now(), now(), false, 'a';
         rollback`,
      )
      used += 1
    }
    expect([await run, waiting, used > 0]).toEqual([true, 1, true])
    expect(await bench.partitions()).toContain(partition)
    expect(await bench.ask('select failure from janitor_runs')).toEqual([{ failure: null }])
    await reader.end()
    expect(await bench.janitor({ metrics }).run()).toBe(true)
    expect([await bench.partitions(), waiting]).toEqual([[], 0])
  })

  test('stay as long as there is no place for archives, which is a failure', async () => {
    const bench = await createJanitorBench()
    await countSome(bench)
    const stored = await bench.stored()
    await expect(bench.janitor({ store: undefined }).run()).rejects.toThrow('ARCHIVE_URL')
    expect(await bench.stored()).toEqual(stored)
    expect(await bench.ask('select succeeded_at, failure is not null as failed from janitor_runs')).toEqual([
      { succeeded_at: null, failed: true },
    ])
    await bench.janitor().run()
    expect(await bench.ask('select succeeded_at > started_at as succeeded, failure from janitor_runs')).toEqual([
      { succeeded: true, failure: null },
    ])
  })

  test('stay if their archive is damaged, and are archived again by the next run', async () => {
    const bench = await createJanitorBench()
    await countSome(bench)
    const stored = await bench.stored()
    const damaging = bench.janitor({
      async onStep(step) {
        if (step !== 'described') return
        for (const name of (await bench.store.list('')).filter((each) => each.endsWith('.gz'))) {
          const path = join(bench.folder, name)
          const bytes = await readFile(path)
          bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20)
          await writeFile(path, bytes)
        }
      },
    })
    await expect(damaging.run()).rejects.toThrow('is damaged')
    expect(await bench.stored()).toEqual(stored)
    await bench.janitor().run()
    expect([...(await bench.stored()), ...(await bench.archived())].sort()).toEqual([...stored].sort())
  })

  test('are archived without a visitor who is forgotten meanwhile', async () => {
    const bench = await createJanitorBench()
    await bench.count(oldClick(45, { visitorId: 'ann' }), oldClick(45, { visitorId: 'bob' }))
    await bench.pack()
    let forgotten = false
    const forgetting = bench.janitor({
      async onStep(step) {
        if (step !== 'read back' || forgotten) return
        forgotten = true
        await forget(bench, 'ann')
      },
    })
    await expect(forgetting.run()).rejects.toThrow('have changed')
    await bench.pack()
    await bench.janitor().run()
    expect(await visitorsArchived(bench)).toEqual(['bob', null])
    // Nothing of the first attempt is left.
    expect(await bench.store.list('')).toHaveLength(2)
  })

  test('are not left in an attempt of before a visitor was forgotten, if the janitor dies before it removes that', async () => {
    const bench = await createJanitorBench()
    await bench.count(oldClick(45, { visitorId: 'ann' }))
    await bench.pack()
    const stopping = (at: StepName) =>
      bench.janitor({
        onStep(step) {
          if (step === at) throw new Error('stopped')
        },
      })
    await expect(stopping('read back').run()).rejects.toThrow('stopped')
    await forget(bench, 'ann')
    await bench.pack()
    await expect(stopping('verified').run()).rejects.toThrow('stopped')
    expect(await bench.store.list('')).toHaveLength(4)
    await bench.janitor().run()
    expect(await bench.store.list('')).toHaveLength(2)
    expect([await bench.stored(), await visitorsArchived(bench)]).toEqual([[], [null]])
  })

  test('are not touched by a second janitor at the same time', async () => {
    const bench = await createJanitorBench()
    await countSome(bench)
    const outcomes: boolean[] = []
    const first = bench.janitor({
      async onStep(step) {
        if (step === 'written') outcomes.push(await bench.janitor().run())
      },
    })
    expect(await first.run()).toBe(true)
    expect(outcomes).toEqual(outcomes.map(() => false))
    expect(outcomes.length).toBeGreaterThan(0)
  })
})

describe('a janitor that is killed', () => {
  const steps: StepName[] = [
    ...(['begun', 'closed', 'read', 'written', 'described', 'read back', 'verified'] as const),
    ...(['given up', 'removed some', 'dropped', 'erased one'] as const),
  ]
  test.for(steps)('after the step "%s" has lost no click, and the next run does the rest', async (step) => {
    const bench = await createJanitorBench()
    const all = await countSome(bench)
    const counters = await bench.counters()
    if (step === 'erased one') {
      await bench.janitor().run()
      await forget(bench, 'ann')
    }
    expect(await runUntilKilled(bench, step)).toBe('SIGKILL')
    // Each click is among the raw clicks or in a complete archive. Of an interrupted removal it may be in both.
    expect([...new Set([...(await bench.stored()), ...(await bench.archived())])].sort()).toEqual([...all].sort())
    await bench.janitor({ eraseAfterMs: 0 }).run()
    expect([...(await bench.stored()), ...(await bench.archived())].sort()).toEqual([...all].sort())
    expect(await bench.stored()).toHaveLength(1)
    expect(await bench.counters()).toEqual(counters)
    expect(await bench.ask('select count(*)::int as uncleared from archives where cleared_at is null')).toEqual([
      { uncleared: 0 },
    ])
    if (step === 'erased one') expect(await visitorsArchived(bench)).not.toContain('ann')
    // Nothing remains of what was interrupted, which would have visitors that can no longer be forgotten.
    const files = await bench.store.list('')
    expect(files.filter((name) => !/^project-\d+\/[^.]+\.[0-9a-f]{16}\.(ndjson\.gz|json)$/.test(name))).toEqual([])
  })
})

describe('a place that is not that of earlier archives', () => {
  /** A bench with an archive of which the clicks are gone. */
  async function createArchivedBench() {
    const bench = await createJanitorBench()
    await bench.count(oldClick(90, { visitorId: 'ann' }), oldClick(12, { visitorId: 'ann' }))
    await bench.pack()
    await bench.ask('update projects set keep_raw_days = 50 where id = 1')
    await bench.janitor().run()
    expect(await bench.stored()).toHaveLength(1)
    const [file] = (await bench.store.list('')).filter((name) => name.endsWith('.gz'))
    const empty = join(bench.folder, 'not-mounted')
    await mkdir(empty)
    return { ...bench, file, emptyStore: new FolderStore(empty) }
  }

  test('gets no new ones, and no raw click is removed', async () => {
    const bench = await createArchivedBench()
    await bench.ask('update projects set keep_raw_days = 10 where id = 1')
    await expect(bench.janitor({ store: bench.emptyStore }).run()).rejects.toThrow(
      `The archive ${bench.file} is not in ${bench.emptyStore.description}`,
    )
    expect([await bench.stored(), await bench.emptyStore.list('')]).toEqual([[expect.anything()], []])
    await bench.janitor().run()
    expect(await bench.stored()).toEqual([])
  })

  test('leaves the request to forget a visitor as it is', async () => {
    const bench = await createArchivedBench()
    await forget(bench, 'ann')
    const erasing = (store: ArchiveStore) => bench.janitor({ store, eraseAfterMs: 0 }).run()
    await expect(erasing(bench.emptyStore)).rejects.toThrow(`The archive ${bench.file} is not in`)
    await expect(erasing(new FolderStore(join(bench.folder, 'missing')))).rejects.toThrow('does not exist')
    expect(await bench.ask('select visitor_id from archive_erasures')).toEqual([{ visitor_id: 'ann' }])
    await erasing(bench.store)
    expect(await visitorsArchived(bench)).toEqual([null])
    expect(await bench.ask('select from archive_erasures')).toEqual([])
  })

  test('is a new one when it is recorded that the archives were deleted', async () => {
    const bench = await createArchivedBench()
    await bench.ask('update projects set keep_raw_days = 10 where id = 1')
    await bench.ask('update archives set file = null')
    await bench.janitor({ store: bench.emptyStore }).run()
    expect([await bench.stored(), await manifestsIn(bench.emptyStore)]).toEqual([[], [expect.anything()]])
  })
})

describe('a forgotten visitor', () => {
  test('is removed from archives, everything else in them stays as it is', async () => {
    const bench = await createJanitorBench()
    const ann = 'ann "the first" \u2028\u0007 ü'
    await bench.count(
      oldClick(45, { visitorId: ann, target: `,"visitor_id":"${ann}"`, props: { visitor_id: ann, price: 1e21 } }),
      oldClick(90, { visitorId: 'bob', url: ann }),
    )
    await bench.pack()
    await bench.janitor().run()
    const before = await manifestsIn(bench.store)
    await forget(bench, ann)
    // A forgetting may still be under way.
    await bench.janitor().run()
    expect(await manifestsIn(bench.store)).toEqual(before)
    await bench.janitor({ eraseAfterMs: 0 }).run()
    expect(await visitorsArchived(bench)).toEqual(['bob', null])
    const [first] = (await linesArchived(bench, ann)).filter((line) => !line.includes('"url":"'))
    expect(first).toContain(`"props":{"price": 1000000000000000000000, "visitor_id": ${JSON.stringify(ann)}}`)
    // Four files: the old one and its manifest are gone.
    expect(await bench.store.list('')).toHaveLength(4)
    expect(await bench.ask('select from archive_erasures')).toEqual([])
  })

  test('is in no file that is left of an erasure in which the janitor died', async () => {
    const bench = await createJanitorBench()
    await bench.count(oldClick(45, { visitorId: 'ann' }))
    await bench.pack()
    await bench.janitor().run()
    const before = await bench.store.list('')
    await forget(bench, 'ann')
    class DyingStore extends FolderStore {
      override async remove(name: string): Promise<void> {
        if (name.endsWith('.gz')) throw new Error('died')
        await super.remove(name)
      }
    }
    await expect(bench.janitor({ store: new DyingStore(bench.folder), eraseAfterMs: 0 }).run()).rejects.toThrow('died')
    // The old file, without its manifest, and the new one with its own.
    expect((await bench.store.list('')).filter((name) => before.includes(name))).toHaveLength(1)
    const unfinished = `${before[0]}.0123456789ab.partial`
    await writeFile(join(bench.folder, unfinished), 'ann')
    await bench.janitor({ eraseAfterMs: 0 }).run()
    const after = await bench.store.list('')
    expect(after).toEqual([expect.stringMatching(/\.json$/), expect.stringMatching(/\.gz$/)])
    expect(after.filter((name) => before.includes(name))).toEqual([])
    expect(await visitorsArchived(bench)).toEqual([null])
    expect(await bench.ask('select from archive_erasures')).toEqual([])
  })

  test('is removed from an archive that is written before the forgetting has reached its clicks', async () => {
    const bench = await createJanitorBench()
    await bench.count(oldClick(45, { visitorId: 'ann' }))
    await bench.pack()
    await bench.ask(`select record_forgetting('ann', 1, 'test')`)
    await bench.janitor().run()
    expect([await bench.stored(), await visitorsArchived(bench)]).toEqual([[], ['ann']])
    await bench.janitor({ eraseAfterMs: 0 }).run()
    expect(await visitorsArchived(bench)).toEqual([null])
  })

  test('is kept for the janitor only if a project in question has an age or an archive', async () => {
    const bench = await createJanitorBench()
    await bench.ask(`select record_forgetting('ann', $1, 'test')`, [otherProject])
    expect(await bench.ask('select from archive_erasures')).toEqual([])
    await bench.ask(`select record_forgetting('ann', null, 'test')`)
    expect(await bench.ask('select visitor_id from archive_erasures')).toEqual([{ visitor_id: 'ann' }])
    // Without a place for archives there is none yet.
    await bench.janitor({ store: undefined, eraseAfterMs: 0 }).run()
    expect(await bench.ask('select from archive_erasures')).toEqual([])
    await bench.count(oldClick(45))
    await bench.pack()
    await bench.janitor().run()
    await bench.ask('update projects set keep_raw_days = null')
    await bench.ask(`select record_forgetting('ann', 1, 'test')`)
    await expect(bench.janitor({ store: undefined, eraseAfterMs: 0 }).run()).rejects.toThrow('ARCHIVE_URL')
    expect(await bench.ask('select visitor_id from archive_erasures')).toEqual([{ visitor_id: 'ann' }])
  })
})

describe('old records', () => {
  test('are removed: contents of resolved dead letters, audit log, sessions, finished producers', async () => {
    const bench = await createJanitorBench()
    await bench.ask(`
      insert into dead_letters (producer, sequence, reason, detail, content, clicks, resolution, resolved_at)
      select gen_random_uuid(), 1, 'r', 'd', 'content', 1, resolution, resolved_at
      from (values (null, null), ('replayed', now() - interval '91 days'), ('discarded', now() - interval '89 days'))
        as letter (resolution, resolved_at);
      insert into audit_log (at, actor, actor_name, action, subject)
      values (now() - interval '731 days', 'a', 'a', 'old', ''), (now() - interval '729 days', 'a', 'a', 'young', '');
      insert into users (email, role) values ('ann@example.org', 'owner');
      insert into sessions (hash, user_id, expires_at)
      select sha256(e::text::bytea), id, now() + e * interval '1 day' from users, generate_series(-1, 1, 2) as e;
      insert into producers (producer, finished, last_heard_at, previous)
      values ('00000000-0000-0000-0000-00000000000a', true, now() - interval '401 days', null),
        ('00000000-0000-0000-0000-00000000000b', false, now() - interval '401 days', null),
        ('00000000-0000-0000-0000-00000000000c', true, now() - interval '401 days', null),
        ('00000000-0000-0000-0000-00000000000d', false, now(), '00000000-0000-0000-0000-00000000000c'),
        ('00000000-0000-0000-0000-00000000000e', true, now() - interval '399 days', null)`)
    expect(await bench.janitor().run()).toBe(true)
    expect(await bench.ask('select resolution, length(content) as bytes from dead_letters order by id')).toEqual([
      { resolution: null, bytes: 7 },
      { resolution: 'replayed', bytes: 0 },
      { resolution: 'discarded', bytes: 7 },
    ])
    expect(await bench.ask('select action from audit_log order by id')).toEqual([
      { action: 'young' },
      { action: 'audit.expire' },
    ])
    expect(await bench.ask('select expires_at > now() as is_valid from sessions')).toEqual([{ is_valid: true }])
    expect(await bench.ask(`select right(producer::text, 1) as producer from producers order by 1`)).toEqual(
      ['b', 'c', 'd', 'e'].map((producer) => ({ producer })),
    )
  })

  test("are removed: keys that were revoked or have expired 90 days ago, but the operator's", async () => {
    const bench = await createJanitorBench()
    await bench.ask(`
      insert into keys (id, project_id, role, label, hash, is_operator, created_at, revoked_at, expires_at)
      select lpad(label, 12, 'x'), 1, 'read', label, sha256(label::bytea), label = 'operator',
        now() - interval '1 year' + (label = 'valid')::int * interval '1 day',
        now() - make_interval(days => revoked_days), now() - make_interval(days => expired_days)
      from (values ('operator', 91, null), ('revoked', 91, null), ('expired', null, 91), ('both', 91, 1), ('recently', 89, 89),
        ('later', null, -1), ('valid', null, null)) as key (label, revoked_days, expired_days)`)
    const labels = async () => (await bench.ask<{ label: string }>('select label from keys')).map(({ label }) => label)
    await bench.janitor().run()
    expect((await labels()).toSorted()).toEqual(['later', 'operator', 'recently', 'valid'])
    expect(await bench.ask('select action, detail from audit_log')).toMatchObject([
      { action: 'key.expire', detail: { keys: 3 } },
    ])
    // The last key that is not the operator's stays, so that auth does not install the first ones again.
    await bench.ask(`update keys set revoked_at = now() - interval '1 year'`)
    await bench.janitor().run()
    expect((await labels()).toSorted()).toEqual(['operator', 'valid'])
  })
})

describe('the role of the janitor', () => {
  test('can remove no click that its project keeps, and no click at all directly', async () => {
    const bench = await createJanitorBench()
    await bench.count(oldClick(9), oldClick(45), oldClick(45, { projectId: otherProject }))
    const { janitorUrl } = bench.urls
    const refused = async (statement: string, ...values: unknown[]) => {
      const client = new Client({ connectionString: janitorUrl })
      await client.connect()
      try {
        return await client.query(statement, values).then(
          () => 'done',
          (error) => error.code,
        )
      } finally {
        await client.end()
      }
    }
    const nameAt = (daysAgo: number) =>
      bench
        .ask<{ name: string }>(
          `select tableoid::regclass::text as name from clicks where occurred_at < now() - make_interval(days => $1) order by id desc`,
          [daysAgo],
        )
        .then(([row]) => row?.name)
    const young = await bench
      .ask<{ name: string }>(`select 'clicks_' || to_char(now() at time zone 'UTC', 'YYYYMMDD') as name`)
      .then(([row]) => row?.name)
    const old = await nameAt(44)
    for (const [statement, ...values] of [
      ['delete from clicks'],
      ['update clicks set visitor_id = null'],
      ['insert into clicks select * from clicks'],
      ['truncate clicks'],
      [`drop table ${old}`],
      ['update minute_counters set total = 0'],
      ['delete from audit_log'],
      ['select * from keys'],
      ['delete from keys'],
      ['update projects set keep_raw_days = 8'],
    ] as [string, ...unknown[]][]) {
      expect([statement, await refused(statement, ...values)]).toEqual([statement, '42501'])
    }
    expect(await refused('select close_raw_clicks(1, $1)', young)).toBe('22023')
    expect(await refused('select close_raw_clicks(2, $1)', old)).toBe('22023')
    expect(await refused('select give_up_raw_clicks(1, $1)', old)).toBe('55000')
    expect(await refused('select remove_raw_clicks(1, $1, 10)', old)).toBe('55000')
    expect(await refused('select drop_click_partition($1)', young)).toBe('22023')
    expect(await refused(`select expire_audit_log('1 day')`)).toBe('22023')
    expect(await bench.stored()).toHaveLength(2)
  })
})

async function partitionsOf(bench: JanitorBench, projectId: number): Promise<number> {
  const rows = await bench.ask(
    `select distinct tableoid from clicks
     where project_id = $1 and click_partition_end(tableoid::regclass::text) < now() - interval '8 days'`,
    [projectId],
  )
  return rows.length
}

/** As `clicktally visitors forget` does it, without the counters. */
async function forget({ ask }: JanitorBench, visitor: string): Promise<void> {
  const [row] = await ask<{ entry: number }>(`select record_forgetting($1, null, 'test') as entry`, [visitor])
  const clicks = await ask<{ id: string; project_id: number }>(
    'select id, project_id from clicks where visitor_id = $1',
    [visitor],
  )
  await ask('select forget_visitor_clicks($1, $2, $3, $4)', [
    row?.entry,
    visitor,
    clicks.map(({ id }) => id),
    clicks.map(({ project_id }) => project_id),
  ])
}

async function linesArchived({ store }: JanitorBench, text = ''): Promise<string[]> {
  const { linesOf, readContent } = await import('@clicktally/archive/archive-content.ts')
  const lines: string[] = []
  for (const manifest of await manifestsIn(store))
    for await (const page of readContent(store, manifest)) lines.push(...linesOf(page))
  return lines.filter((line) => line.includes(JSON.stringify(text).slice(1, -1)))
}

async function visitorsArchived(bench: JanitorBench): Promise<(string | null)[]> {
  return (await linesArchived(bench)).map((line) => JSON.parse(line).visitor_id).sort()
}

/** Runs the janitor in a process of its own. @returns the signal that ended it */
function runUntilKilled({ urls, folder }: JanitorBench, step: StepName): Promise<NodeJS.Signals | number | null> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'killed-janitor.ts')], {
    env: { DATABASE_URL: urls.janitorUrl, ARCHIVE_FOLDER: folder, KILL_AFTER: step },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code))
  })
}
