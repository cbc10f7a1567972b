import { randomUUID } from 'node:crypto'
import { clickColumns } from '@clicktally/database/click-columns.ts'
import { createPool } from '@clicktally/database/pool.ts'
import type { Click } from '@clicktally/event/click.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { withinTime } from '@clicktally/testing/within-time.ts'
import fc from 'fast-check'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { arrange, ClickBatch, copyOf, copyStatements } from '../rows/click-batch.ts'
import { idOf } from '../rows/click-row.ts'
import type { ConsumedMessage, DeadLetter } from '../rows/consumed-message.ts'
import { CopyStatement } from '../rows/copy-statement.ts'
import { visitorHash } from '../rows/visitor-hash.ts'
import { createPartitionsAround } from '../store/click-partitions.ts'
import { ClickStore } from '../store/click-store.ts'
import { consumedMessage, createClick } from './processor-under-test.ts'

const logger = pino({ level: 'silent' })

async function createStore() {
  const { ownerUrl, processorUrl } = await createTestDatabase()
  const limits = { name: 'test', logger, maxConnections: 2, statementTimeoutMs: 5_000 }
  const owner = createPool({ ...limits, url: ownerUrl })
  const pool = createPool({ ...limits, url: processorUrl })
  onTestFinished(async () => {
    await pool.end()
    await owner.end()
  })
  const store = new ClickStore(pool)
  await createPartitionsAround(pool, Date.now())
  return { store, owner, pool }
}

const producer = randomUUID()

function message(sequence: number, clicks: readonly Click[], deadLetters: readonly DeadLetter[] = []): ConsumedMessage {
  const all = clicks.length + deadLetters.length
  const stamp = { producer, sequence, clicks: all, settled: sequence - 1, confirmed: 2 ** 40 }
  return { ...consumedMessage(stamp, clicks), deadLetters }
}

/** Texts as the check lets them through: well-formed, without U+0000. */
const text = (maxLength: number) =>
  fc.string({ unit: 'grapheme', minLength: 1, maxLength }).map((any) => any.replaceAll('\0', '').toWellFormed() || '0')
const time = fc.oneof(
  fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2100, 0, 1) }),
  fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }),
  fc.double({ min: -1e12, max: 1e12, noNaN: true }),
)
const content = fc.record(
  {
    target: text(40),
    occurredAtMs: time,
    receivedAtMs: time,
    bot: fc.constant(true as const),
    visitorId: text(40),
    url: text(300),
    referrer: text(300),
    country: fc.constantFrom('DE', 'JP'),
    agent: fc.constantFrom('aaa', '000'),
    props: fc.dictionary(
      text(10),
      fc.oneof(text(20), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null)),
    ),
  },
  { requiredKeys: ['target', 'occurredAtMs', 'receivedAtMs'] },
)

describe('the store', () => {
  test('COPY stores and counts the same as the statement, whatever a click contains', async () => {
    const { store, owner } = await createStore()
    let sequence = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(content, { minLength: 1, maxLength: 20 }),
        withinTime(20_000, async (contents) => {
          await owner.query('truncate clicks, counter_deltas')
          const clicks = (projectId: number) =>
            contents.map((some) => ({
              ...createClick(some as Partial<Click>),
              projectId,
              id: randomUuidV7(Date.now()),
            }))
          const letter = {
            reason: 'r',
            detail: 'd',
            type: 't',
            content: Buffer.from('c'),
            clicks: 1,
            clickIds: [],
            clickProjects: [],
            requestId: '',
          }
          const copied = new ClickBatch([message(++sequence, clicks(1))])
          const stated = new ClickBatch([message(++sequence, clicks(1), [letter])])
          expect([copied.isCopyable, stated.isCopyable]).toEqual([true, false])
          const inOrder = async (text: string) => (await owner.query(`select ${text} order by content`)).rows
          const rows = async () => ({
            clicks: await inOrder(
              '(target, occurred_at, received_at, bot, visitor_id, url, referrer, country, agent, props)::text as content from clicks',
            ),
            deltas: await inOrder('(target, minute, total, bots, visitors)::text as content from counter_deltas'),
          })
          await store.count(copied)
          const byCopy = await rows()
          await owner.query('truncate clicks, counter_deltas')
          await store.count(stated)
          expect(byCopy.clicks).toHaveLength(contents.length)
          expect(await rows()).toEqual(byCopy)
        }),
      ),
      { numRuns: 60 },
    )
  })

  test('looks up known clicks after a duplicate, until a batch has none', async () => {
    const { store, owner } = await createStore()
    const old = [createClick(), createClick(), createClick()]
    const fresh = () => createClick({ target: 'fresh' })
    const count = (sequence: number, clicks: Click[]) => store.count(new ClickBatch([message(sequence, clicks)]))
    expect(await count(1, old)).toEqual({ counted: 3, duplicates: 0 })
    expect(await count(2, [...old, fresh()])).toEqual({ counted: 1, duplicates: 3 })
    expect(await count(3, [fresh(), ...old])).toEqual({ counted: 1, duplicates: 3 })
    expect(await count(4, [fresh()])).toEqual({ counted: 1, duplicates: 0 })
    expect(await count(5, [fresh(), ...old, ...old])).toEqual({ counted: 1, duplicates: 6 })
    // Delivered again, whole.
    expect(await count(5, [fresh(), ...old])).toEqual({ counted: 1, duplicates: 3 })
    const { rows } = await owner.query(
      'select (select count(*) from clicks) as stored, (select sum(total) from counters) as counted',
    )
    expect(rows).toEqual([{ stored: 8, counted: 8 }])
  })

  test('a failed COPY has no effect, and its connection can be used again', async () => {
    const { owner, pool } = await createStore()
    const [first, second, third] = [createClick(), createClick(), createClick()]
    const run = async (messages: ConsumedMessage[]) => {
      const statement = new CopyStatement(copyStatements(clickColumns()), copyOf(arrange(messages)).content)
      const client = await pool.connect()
      try {
        client.query(statement)
        await statement.done
      } finally {
        client.release()
      }
    }
    await run([message(1, [first])])
    // The click is known: the message and the counters after it are not written.
    await expect(run([message(2, [second, first])])).rejects.toMatchObject({ code: '23505' })
    // The message is known: the click before it is not written, and the rest of the data comes after the failure.
    await expect(run([message(1, [third])])).rejects.toMatchObject({ code: '23505', table: 'messages' })
    await run([message(3, [third])])
    const { rows } = await owner.query(
      'select (select count(*) from clicks) as clicks, (select count(*) from messages) as messages, (select sum(total) from counters) as counted',
    )
    expect(rows).toEqual([{ clicks: 2, messages: 2, counted: 2 }])
  })

  test('writes the clicks of a message in the order of their ids, even if some are refused', async () => {
    const { store, owner } = await createStore()
    await owner.query(`alter table clicks add check (target <> 'refused')`)
    const clicks = [1, 2, 3, 4, 5, 6].map((place) => createClick({ target: place === 4 ? 'refused' : 'button' }))
    const ids = clicks.flatMap(({ id, target }) => (target === 'refused' ? [] : [id]))
    const { counted, refused } = await store.countDespiteRefusals(message(1, clicks.toReversed()))
    expect([counted, refused.length]).toEqual([5, 1])
    const { rows } = await owner.query('select id from clicks order by ctid')
    expect(rows.map(({ id }) => id)).toEqual(ids.toSorted())
  })

  test('locks clicks before messages, so that two processors with the same message do not deadlock', async () => {
    const { store, owner } = await createStore()
    const click = createClick()
    const { stamp } = message(1, [click])
    const other = await owner.connect()
    onTestFinished(() => other.release())
    await other.query('begin')
    await other.query(
      `insert into clicks (id, project_id, occurred_at, received_at, bot, target) values ($1, 1, now(), now(), false, 'button')`,
      [click.id],
    )
    const counting = store.count(new ClickBatch([message(1, [click])]))
    await vi.waitFor(async () => {
      const { rows } = await owner.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      expect(rows).toHaveLength(1)
    })
    await other.query(`set local lock_timeout = '100ms'`)
    await other.query(
      `insert into messages (producer, sequence, clicks, counted, duplicates, dead, settled, confirmed)
       values ($1, $2, 1, 1, 0, 0, 0, 0)`,
      [stamp.producer, stamp.sequence],
    )
    await other.query('commit')
    expect(await counting).toEqual({ counted: 0, duplicates: 1 })
  })

  test('writes duplicate messages and clicks once, in the order of their keys', () => {
    const clicks = Array.from({ length: 5 }, () => createClick())
    const [a, b, c, d, e] = clicks as [Click, Click, Click, Click, Click]
    const { entries, clicks: placed } = arrange([message(2, [e, a]), message(1, [d, b, a]), message(2, [c, e, a])])
    expect(entries.map(({ stamp }) => stamp.sequence)).toEqual([1, 2])
    const entryOf = new Map(placed.map(({ click, entry }) => [idOf(click), entry]))
    expect(placed.map(({ click }) => idOf(click))).toEqual(clicks.map(({ id }) => id).sort())
    expect([a, b, c, d, e].map(({ id }) => entryOf.get(id))).toEqual([1, 1, 0, 1, 2])
  })

  test('the same id in two projects is two clicks', () => {
    const { id } = createClick()
    const inProject = (projectId: number) => createClick({ id, projectId })
    const { clicks } = arrange([message(1, [inProject(2), inProject(256), inProject(1), inProject(2)])])
    expect(clicks.map(({ click }) => click.projectId)).toEqual([1, 2, 256])
  })
})

describe('the hash of a visitor', () => {
  test('equals the one from PostgreSQL', async () => {
    const { owner } = await createStore()
    const projects = [1, 2, 40_000, 2_147_483_647]
    const lengths = Array.from({ length: 41 }, (_, length) => 'abcdefghij'.repeat(5).slice(0, length))
    const visitors = [...lengths, 'ü', '日本'.repeat(7), '👋 there', 'x'.repeat(128), 'é'.repeat(2_000)]
    for (const project of projects) {
      const { rows } = await owner.query(
        'select visitor_hash($1, visitor) as hash from unnest($2::text[]) with ordinality as v (visitor, place) order by place',
        [project, visitors],
      )
      const hashOf = (visitor: string) => visitorHash(project, Buffer.from(visitor), 0, Buffer.byteLength(visitor))
      expect(visitors.map(hashOf)).toEqual(rows.map(({ hash }) => hash))
    }
  })
})
