import { randomUUID } from 'node:crypto'
import { topology } from '@clicktally/broker/topology.ts'
import { type Balance, readBalance } from '@clicktally/database/balance.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import type { Click } from '@clicktally/event/click.ts'
import type { LedgerStamp } from '@clicktally/message/ledger-stamp.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { ClickBatch } from '../rows/click-batch.ts'
import { idOf } from '../rows/click-row.ts'
import type { ConsumedMessage, DeadLetter } from '../rows/consumed-message.ts'
import { createPartitionsAround } from '../store/click-partitions.ts'
import { ClickStore } from '../store/click-store.ts'
import { consumedMessage, createBench, createClick } from './processor-under-test.ts'

const logger = pino({ level: 'silent' })
const nothing: Balance = { accepted: 0, counted: 0, duplicates: 0, dead: 0, discarded: 0, inFlight: 0, overdue: 0 }

/** A store over a database of the test's own. */
async function createLedger() {
  const { ownerUrl, processorUrl } = await createTestDatabase()
  const limits = { name: 'test', logger, maxConnections: 3, statementTimeoutMs: 60_000 }
  const owner = createPool({ ...limits, url: ownerUrl })
  const pool = createPool({ ...limits, url: processorUrl })
  onTestFinished(async () => {
    await pool.end()
    await owner.end()
  })
  const store = new ClickStore(pool)
  await createPartitionsAround(pool, Date.now())
  const db = createDatabase(owner)
  return {
    store,
    count: (messages: readonly ConsumedMessage[]) => store.count(new ClickBatch(messages)),
    owner,
    balance: async () => ({ ...nothing, ...(await readBalance(db)) }),
    /** As it is with messages that were written long ago. */
    fold: () => owner.query(`select fold_ledger('0')`),
    messages: async () => (await owner.query('select * from messages order by sequence')).rows,
  }
}

const producer = randomUUID()

function message(sequence: number, clicks: readonly Click[], stamp: Partial<LedgerStamp> = {}): ConsumedMessage {
  return consumedMessage({ producer, sequence, clicks: clicks.length, settled: 0, confirmed: 0, ...stamp }, clicks)
}

function buried(taken: ConsumedMessage): ConsumedMessage {
  const letter: DeadLetter = {
    reason: 'delivery_limit',
    detail: '',
    type: 'clicks.v1',
    content: Buffer.from('content'),
    clicks: taken.stamp.clicks,
    clickIds: taken.clicks.map(idOf),
    clickProjects: taken.clicks.map(({ projectId }) => projectId),
    requestId: undefined,
  }
  return { ...taken, clicks: [], deadLetters: [letter] }
}

const clicks = (count: number) => Array.from({ length: count }, () => createClick())

describe('the ledger', () => {
  test('contains each message once, however often it is delivered', async () => {
    const { count, balance, messages } = await createLedger()
    const three = clicks(3)
    const first = message(1, three)
    const second = message(2, [...clicks(2), ...three.slice(0, 1)], { settled: 1, confirmed: 3 })
    expect(await count([first, second, first])).toEqual({ counted: 5, duplicates: 4 })
    await count([second])
    await count([first, message(3, [], { settled: 2, confirmed: 6 })])
    expect(await messages()).toMatchObject([
      { clicks: 3, counted: 3, duplicates: 0 },
      { clicks: 3, counted: 2, duplicates: 1 },
      { clicks: 0, counted: 0, duplicates: 0 },
    ])
    expect(await balance()).toEqual({ ...nothing, accepted: 6, counted: 5, duplicates: 1 })
  })

  test('detects a lost message as soon as a later one reports it', async () => {
    const { count, balance, fold } = await createLedger()
    await count([message(1, clicks(2))])
    await count([message(3, clicks(1), { settled: 1, confirmed: 2 })])
    expect(await balance()).toMatchObject({ accepted: 3, counted: 3, inFlight: 0 })
    await count([message(4, [], { settled: 3, confirmed: 10 })])
    expect(await balance()).toMatchObject({ accepted: 10, counted: 3, inFlight: 7, overdue: 0 })
    await fold()
    expect(await balance()).toMatchObject({ accepted: 10, counted: 3, inFlight: 7, overdue: 7 })
    await count([message(2, clicks(7), { settled: 1, confirmed: 2 })])
    expect(await balance()).toEqual({ ...nothing, accepted: 10, counted: 10 })
  })

  test('expects nothing of a message that was refused', async () => {
    const { count, balance } = await createLedger()
    await count([message(1, clicks(1)), message(5, clicks(1), { settled: 4, confirmed: 1 })])
    expect(await balance()).toEqual({ ...nothing, accepted: 2, counted: 2 })
  })

  test('learns the end of a connection from the next one, and expects nothing of messages without an outcome', async () => {
    const { count, balance } = await createLedger()
    const next = { producer: randomUUID(), previous: { producer, confirmed: 9, unknown: [3, 4] } }
    await count([message(1, clicks(2))])
    await count([message(1, clicks(1), next)])
    expect(await balance()).toMatchObject({ accepted: 10, counted: 3, inFlight: 7 })
    // Of unknown outcome, but here: it is one more.
    await count([message(3, clicks(4))])
    expect(await balance()).toMatchObject({ accepted: 14, counted: 7, inFlight: 7 })
    await count([message(2, clicks(7))])
    expect(await balance()).toEqual({ ...nothing, accepted: 14, counted: 14 })
  })

  test('stays the same before, during and after a fold, and still knows the folded messages', async () => {
    const { count, balance, fold, messages } = await createLedger()
    const sent = [1, 2, 3, 4].map((sequence) =>
      message(sequence, clicks(sequence), {
        settled: Math.max(0, sequence - 2),
        confirmed: [0, 0, 1, 3][sequence - 1] ?? 0,
      }),
    )
    await count(sent)
    const before = await balance()
    for (let call = 0; call < 3; call += 1) {
      await fold()
      expect(await balance()).toEqual(before)
      await count(sent)
      expect(await balance()).toEqual(before)
    }
    await fold()
    // The last two are above what the newest report says is settled.
    expect((await messages()).map(({ sequence }) => Number(sequence))).toEqual([3, 4])
  })

  test('finishes closed connections, and still knows their messages', async () => {
    const { count, balance, fold, owner, messages } = await createLedger()
    const connections = 30
    const sent: ConsumedMessage[] = []
    let previous: LedgerStamp['previous']
    for (let connection = 0; connection < connections; connection += 1) {
      const producer = randomUUID()
      const stamp = { producer, ...(previous !== undefined && { previous }) }
      // The first is reported; the second is confirmed, which the next connection tells; the third had no outcome.
      sent.push(message(1, clicks(2), stamp))
      sent.push(message(2, clicks(3), { ...stamp, settled: 1, confirmed: 2 }))
      sent.push(message(3, clicks(1), { ...stamp, settled: 1, confirmed: 2 }))
      previous = { producer, confirmed: 5, unknown: [3] }
    }
    await count(sent)
    const before = await balance()
    expect(before).toEqual({ ...nothing, accepted: 6 * connections, counted: 6 * connections })
    for (let call = 0; call < 3; call += 1) await fold()
    const openProducers = async () => (await owner.query('select producer from producers where not finished')).rows
    expect(await openProducers()).toEqual([{ producer: sent.at(-1)?.stamp.producer }])
    expect(await messages()).toHaveLength(2)
    expect(await balance()).toEqual(before)
    // Each comes again, whether its connection is finished or not.
    for (let call = 0; call < 2; call += 1) {
      expect(await count(sent)).toMatchObject({ counted: 0 })
      expect(await balance()).toEqual(before)
      await fold()
      expect(await balance()).toEqual(before)
      expect(await openProducers()).toHaveLength(1)
    }
  })

  test('reopens a finished connection if the next one reports that it had more messages', async () => {
    const { count, balance, owner } = await createLedger()
    const foldSilent = () => owner.query(`select fold_ledger('0', '0')`)
    const openProducers = async () => (await owner.query('select from producers where not finished')).rowCount
    await count([message(1, clicks(2)), message(2, [], { settled: 1, confirmed: 2 })])
    await foldSilent()
    expect([await openProducers(), await balance()]).toEqual([0, { ...nothing, accepted: 2, counted: 2 }])
    // The broker was away for long: it had confirmed a third message, of seven clicks.
    const next = { producer: randomUUID(), previous: { producer, confirmed: 9, unknown: [4] } }
    await count([message(1, clicks(1), next)])
    const owing = { ...nothing, accepted: 10, counted: 3, inFlight: 7 }
    expect(await balance()).toEqual(owing)
    await foldSilent()
    expect(await balance()).toMatchObject({ ...owing, overdue: expect.any(Number) })
    await foldSilent()
    expect(await openProducers()).toBe(1)
    await count([message(3, clicks(7))])
    expect(await balance()).toEqual({ ...nothing, accepted: 10, counted: 10 })
    await foldSilent()
    expect([await openProducers(), await balance()]).toEqual([0, { ...nothing, accepted: 10, counted: 10 }])
    // One more of it, of which nobody knows whether it was confirmed: it belongs to a finished one, and stays so.
    await count([message(4, clicks(4), { settled: 3, confirmed: 9 })])
    for (let call = 0; call < 2; call += 1) {
      expect(await balance()).toEqual({ ...nothing, accepted: 14, counted: 14 })
      await foldSilent()
      expect(await openProducers()).toBe(0)
    }
  })

  test('does not fold messages younger than a minute', async () => {
    const { count, owner, messages } = await createLedger()
    await count([message(1, clicks(1)), message(2, clicks(1), { settled: 1, confirmed: 1 })])
    await owner.query(`select fold_ledger(interval '1 minute')`)
    expect(await messages()).toHaveLength(2)
    const { rows } = await owner.query('select folded::text from producers')
    expect(rows).toEqual([{ folded: '{}' }])
  })

  test('contains dead, replayed and discarded clicks', async () => {
    const { count, owner, balance } = await createLedger()
    await count([buried(message(1, clicks(5))), buried(message(2, clicks(3))), message(3, clicks(1))])
    expect(await balance()).toEqual({ ...nothing, accepted: 9, counted: 1, dead: 8 })
    await owner.query(`update dead_letters set resolution = 'discarded' where clicks = 3`)
    expect(await balance()).toEqual({ ...nothing, accepted: 9, counted: 1, dead: 5, discarded: 3 })
    await count([message(1, clicks(5), { producer: randomUUID() })])
    await owner.query(`update dead_letters set resolution = 'replayed' where clicks = 5`)
    expect(await balance()).toEqual({ ...nothing, accepted: 9, counted: 6, discarded: 3 })
  })

  test('a counted message is not dead if the broker gives it up afterwards', async () => {
    const { count, owner, balance } = await createLedger()
    const counted = message(1, clicks(4))
    await count([counted])
    await count([buried(counted)])
    expect(await balance()).toEqual({ ...nothing, accepted: 4, counted: 4 })
    expect((await owner.query('select from dead_letters')).rowCount).toBe(0)
  })

  test('a folded message is not dead if the broker gives it up afterwards', async () => {
    const { count, balance, fold, messages } = await createLedger()
    const first = message(1, clicks(3))
    await count([first, message(2, [], { settled: 1, confirmed: 3 })])
    await fold()
    await count([buried(first)])
    expect(await balance()).toEqual({ ...nothing, accepted: 3, counted: 3 })
    // Nothing of it stays: it is folded again.
    await fold()
    expect(await messages()).toMatchObject([{ sequence: 2 }])
  })

  test('a message that is being folded is not dead if the broker gives it up', async () => {
    const { count, balance, owner } = await createLedger()
    const first = message(1, clicks(3))
    await count([first, message(2, [], { settled: 1, confirmed: 3 })])
    const folding = await owner.connect()
    await folding.query('begin')
    await folding.query(`select fold_ledger('0')`)
    const burying = count([buried(first)])
    await vi.waitFor(async () => {
      const { rows } = await owner.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      expect(rows).toHaveLength(1)
    }, patience)
    await folding.query('commit')
    folding.release()
    await burying
    expect(await balance()).toEqual({ ...nothing, accepted: 3, counted: 3 })
  })

  test('a dead message is counted after all if a processor that was cut off writes it', async () => {
    const { count, owner, balance } = await createLedger()
    const late = message(1, clicks(4))
    await count([buried(late)])
    expect(await balance()).toEqual({ ...nothing, accepted: 4, dead: 4 })
    await count([late])
    expect(await balance()).toEqual({ ...nothing, accepted: 4, counted: 4 })
    expect((await owner.query('select resolution from dead_letters')).rows).toEqual([{ resolution: 'counted' }])
  })

  test('includes clicks from before the ledger', async () => {
    const { owner, balance } = await createLedger()
    await owner.query(
      `insert into producers (producer, clicks, counted) values ('00000000-0000-0000-0000-000000000000', 8, 8)`,
    )
    expect(await balance()).toEqual({ ...nothing, accepted: 8, counted: 8 })
  })
})

describe('the ledger of a running system', () => {
  test('shows a message that was removed from the queue by hand', async () => {
    const bench = await createBench()
    await bench.send(...clicks(2))
    await bench.send(...clicks(5))
    await bench.send(...clicks(3))
    const { channel } = bench.broker
    const held = [await channel.get(topology.queue), await channel.get(topology.queue)]
    for (const [index, taken] of held.entries()) {
      if (taken !== false) index === 1 ? channel.ack(taken) : channel.nack(taken)
    }
    await bench.startProcessor()
    await bench.untilProcessed()
    expect(await bench.balance()).toMatchObject({ accepted: 10, counted: 5, inFlight: 5 })
  })

  test('accounts for a message without a stamp once, however often it is delivered', async () => {
    const bench = await createBench()
    await bench.startProcessor()
    for (let time = 0; time < 3; time += 1) await bench.sendRaw('not json\nnor this')
    await bench.untilProcessed()
    expect(await bench.balance()).toEqual({ ...nothing, accepted: 2, dead: 2 })
  })

  test('stores what the broker gives up as dead letters with the reason', async () => {
    const bench = await createBench()
    const [click] = clicks(1)
    if (click === undefined) throw new Error('no click')
    bench.broker.channel.publish(
      topology.deadExchange,
      topology.routingKey,
      Buffer.from(`{"id":"${click.id}"}\nmore`),
      {
        type: 'clicks.v1',
        headers: { 'x-death': [{ queue: 'clicks', reason: 'delivery_limit' }] },
        persistent: true,
      },
    )
    await bench.startProcessor()
    await vi.waitFor(async () => {
      expect(await bench.ask('select reason, detail, clicks, click_ids from dead_letters')).toEqual([
        {
          reason: 'delivery_limit',
          detail: 'RabbitMQ moved the message out of the queue clicks.',
          clicks: 2,
          click_ids: [click.id],
        },
      ])
    }, patience)
    // It is acknowledged after the letter is committed.
    await vi.waitFor(async () => expect(await bench.broker.depth(topology.deadQueue)).toBe(0), patience)
  })
})
