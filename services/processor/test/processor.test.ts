import { randomBytes } from 'node:crypto'
import { topology } from '@clicktally/broker/topology.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { clicksMessageType, encodeClick } from '@clicktally/message/clicks-message.ts'
import { encodeShort } from '@clicktally/message/short-line.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { TcpProxy } from '@clicktally/testing/tcp-proxy.ts'
import { Client } from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Bench, createBench, createClick } from './processor-under-test.ts'

async function untilCounted({ tally }: Bench, clicks: number): Promise<void> {
  await vi.waitFor(async () => expect(await tally()).toEqual({ stored: clicks, counted: clicks }), patience)
}

describe('the processor', () => {
  test('counts each click once and acknowledges after the commit', async () => {
    const bench = await createBench()
    const consumer = await bench.startProcessor()
    await bench.send(createClick(), createClick({ bot: true }), createClick({ target: 'other' }))
    await untilCounted(bench, 3)
    await consumer.close()
    // What is not acknowledged comes back when the channel is closed.
    expect(await bench.broker.depth()).toBe(0)
    const rows = await bench.ask(
      `select target, sum(total)::int as total, sum(bots)::int as bots from counters group by 1 order by 1`,
    )
    expect(rows).toEqual([
      { target: 'button', total: 1, bots: 1 },
      { target: 'other', total: 1, bots: 0 },
    ])
  })

  test('stores the click as it was sent', async () => {
    const bench = await createBench()
    await bench.startProcessor()
    const occurredAtMs = Date.now() - 3_600_123
    const click = createClick({
      occurredAtMs,
      target: 'a "quoted", {braced} \\ target',
      visitorId: 'visitor',
      url: 'https://example.org/ä?q=NULL',
      referrer: '',
      props: { text: 'null', empty: '', number: 1.5, yes: true, none: null },
    })
    await bench.send(click)
    await untilCounted(bench, 1)
    const [row] = await bench.ask('select * from clicks')
    expect(row).toMatchObject({
      id: click.id,
      target: click.target,
      occurred_at: new Date(occurredAtMs),
      visitor_id: 'visitor',
      url: click.url,
      referrer: '',
      bot: false,
      props: click.props,
    })
  })

  test('a duplicate id changes no count, in the same batch, in a later one, or at another processor', async () => {
    const bench = await createBench()
    await bench.startProcessor()
    await bench.startProcessor()
    const twice = createClick()
    await bench.send(twice, twice, createClick())
    await untilCounted(bench, 2)
    for (let again = 0; again < 10; again += 1) await bench.send(twice)
    await bench.untilProcessed()
    expect(await bench.tally()).toEqual({ stored: 2, counted: 2 })
  })

  test('each visitor is counted once, and bots are not visitors', async () => {
    const bench = await createBench()
    await bench.startProcessor()
    await bench.send(...['a', 'b', 'a', 'a'].map((visitorId) => createClick({ visitorId })))
    await bench.send(createClick({ visitorId: 'b' }), createClick({ visitorId: 'robot', bot: true }))
    await untilCounted(bench, 6)
    const [row] = await bench.ask(
      'select count(distinct hash)::int as visitors from counters, unnest(visitors) as hash',
    )
    expect(row).toEqual({ visitors: 2 })
  })

  test('a message of an unknown version goes to the dead letters, whole and with its reason', async () => {
    const bench = await createBench()
    await bench.startProcessor()
    await bench.sendRaw('something new', { type: 'clicks.v3' })
    await bench.send(createClick())
    await untilCounted(bench, 1)
    await bench.untilProcessed()
    expect(await bench.deadLetters()).toEqual([
      { content: 'something new', reason: 'unknown_version', type: 'clicks.v3', clicks: 1 },
    ])
  })

  test('a line that is not a click becomes a dead letter, and the other lines are counted', async () => {
    const bench = await createBench()
    const bad = createClick({ id: 'nonsense' })
    await bench.startProcessor()
    await bench.sendRaw(
      [encodeClick(createClick()), encodeClick(bad), 'not json', encodeClick(createClick())].join('\n'),
    )
    await untilCounted(bench, 2)
    await bench.untilProcessed()
    const dead = await bench.deadLetters()
    expect(dead.map(({ content, reason }) => [content, reason])).toEqual([
      [encodeClick(bad), 'undecodable'],
      ['not json', 'undecodable'],
    ])
  })

  test('a click with a short line becomes a complete dead letter, and is counted when it is replayed', async () => {
    const bench = await createBench()
    await bench.startProcessor()
    await bench.ask(`alter table clicks add constraint refused check (target <> 'refused')`)
    const [receivedAtMs, projectId] = [Date.now(), 7]
    const [first, refused, last] = ['a', 'refused', 'b'].map((target) =>
      createClick({ target, receivedAtMs, projectId }),
    )
    if (first === undefined || refused === undefined || last === undefined) throw new Error('no clicks')
    const undecodable = encodeShort(refused).replace('"refused"', '7')
    await bench.sendRaw([encodeClick(first), encodeShort(refused), undecodable, encodeShort(last)].join('\n'))
    await untilCounted(bench, 2)
    await bench.untilProcessed()
    expect((await bench.deadLetters()).map(({ content, reason }) => [content, reason]).sort()).toEqual([
      [encodeClick(refused), 'refused_by_database'],
      [encodeClick(refused).replace('"refused"', '7'), 'undecodable'],
    ])
    const projects = 'select click_ids, click_projects from dead_letters'
    expect(await bench.ask(projects)).toEqual(Array(2).fill({ click_ids: [refused.id], click_projects: [projectId] }))
    await bench.ask('alter table clicks drop constraint refused')
    await bench.sendRaw(encodeClick(refused))
    await untilCounted(bench, 3)
  })

  test('a click that bypassed ingest, with a target too long for an index, becomes a dead letter, and folds continue', async () => {
    const bench = await createBench()
    await bench.startProcessor()
    // Noise, since PostgreSQL would compress another text until it fits.
    const target = randomBytes(2_700).toString('base64')
    const long = createClick({ target })
    await bench.send(createClick(), long, createClick())
    await untilCounted(bench, 2)
    await bench.untilProcessed()
    expect(await bench.ask('select reason, detail, click_ids from dead_letters')).toEqual([
      { reason: 'undecodable', detail: '/target must not have more than 256 characters', click_ids: [long.id] },
    ])
    await bench.ask('select fold_counters()')
    expect(await bench.tally()).toEqual({ stored: 2, counted: 2 })
  })

  test('only the click that the database refuses becomes a dead letter, with the reason', async () => {
    const bench = await createBench()
    await bench.ask(`
      create function refuse() returns trigger language plpgsql as
        $$ begin if new.target = 'poison' then raise exception 'poison is refused'; end if; return new; end $$`)
    await bench.ask('create trigger refuse before insert on clicks for each row execute function refuse()')
    await bench.startProcessor()
    const poison = createClick({ target: 'poison' })
    const clicks = Array.from({ length: 100 }, () => createClick())
    await bench.send(...clicks.slice(0, 70), poison, ...clicks.slice(70))
    await untilCounted(bench, 100)
    await bench.untilProcessed()
    const dead = await bench.deadLetters()
    expect(dead).toEqual([
      { content: encodeClick(poison), reason: 'refused_by_database', type: clicksMessageType, clicks: 1 },
    ])
    expect(await bench.ask('select click_ids, detail, request_id from dead_letters')).toEqual([
      { click_ids: [poison.id], detail: 'poison is refused', request_id: poison.requestId },
    ])
    expect(await bench.balance()).toMatchObject({ accepted: 101, counted: 100, dead: 1, inFlight: 0 })
  })

  test('a missing partition is created when a click needs it', async () => {
    const bench = await createBench()
    await bench.startProcessor()
    const longAgo = Date.now() - 40 * 86_400_000
    await bench.send(createClick(), createClick({ id: randomUuidV7(longAgo) }))
    await untilCounted(bench, 2)
  })

  test('old months get one partition each, and the days of this month keep theirs', async () => {
    const bench = await createBench()
    await bench.startProcessor()
    const times = ['2015-05-17T10:05:03Z', '2015-05-31T23:59:59.999Z', '2015-06-01T00:00:00Z', '2000-01-01T00:00:00Z']
    await bench.send(createClick(), ...times.map((time) => createClick({ id: randomUuidV7(Date.parse(time)) })))
    await untilCounted(bench, 5)
    const partitions = await bench.ask<{ name: string; clicks: number }>(
      `select tableoid::regclass::text as name, count(*)::int as clicks from clicks group by 1 order by 1`,
    )
    const today = new Date().toISOString().slice(0, 10).replaceAll('-', '')
    expect(partitions).toEqual([
      { name: 'clicks_200001', clicks: 1 },
      { name: 'clicks_201505', clicks: 2 },
      { name: 'clicks_201506', clicks: 1 },
      { name: `clicks_${today}`, clicks: 1 },
    ])
  })

  test('only a click whose id fits no partition becomes a dead letter', async () => {
    const bench = await createBench()
    await bench.startProcessor()
    await bench.send(createClick(), createClick({ id: 'ffffffff-ffff-7000-8000-000000000000' }))
    await untilCounted(bench, 1)
    await bench.untilProcessed()
    expect((await bench.deadLetters()).map(({ reason }) => reason)).toEqual(['refused_by_database'])
  })

  test('continues after the broker has closed its connections', async () => {
    const bench = await createBench()
    const consumer = await bench.startProcessor()
    await bench.send(createClick())
    await untilCounted(bench, 1)
    await vi.waitFor(async () => {
      await bench.broker.closeConnections()
      expect(consumer.isConsuming).toBe(false)
    }, patience)
    await bench.send(createClick())
    await untilCounted(bench, 2)
  })

  test('continues after its queue was deleted', async () => {
    const bench = await createBench()
    const consumer = await bench.startProcessor()
    await vi.waitFor(() => expect(consumer.isConsuming).toBe(true), patience)
    await bench.broker.channel.deleteQueue(topology.queue)
    await vi.waitFor(async () => {
      await bench.send(createClick({ id: '01a1fbf9-47c2-790c-9f4f-1b848ca0e748' }))
      expect((await bench.tally()).counted).toBe(1)
    }, patience)
  })

  test.each<[string, (bench: Bench) => Promise<unknown>]>([
    [
      'the binding of its queue',
      ({ broker }) => broker.channel.unbindQueue(topology.queue, topology.exchange, topology.routingKey),
    ],
    ['the exchange', ({ broker }) => broker.manage('DELETE', `/exchanges/{vhost}/${topology.exchange}`)],
    ['the queue of suspects', ({ broker }) => broker.channel.deleteQueue(topology.suspectQueue)],
  ])('makes %s again after it was deleted', async (_name, harm) => {
    const bench = await createBench()
    const consumer = await bench.startProcessor()
    await vi.waitFor(() => expect(consumer.isConsuming).toBe(true), patience)
    const bindings = async () =>
      ((await bench.broker.manage('GET', '/bindings/{vhost}')) as { source: string; destination: string }[])
        // Of each connection there is a marker, which goes with it.
        .filter(({ destination }) => !destination.startsWith('clicks.connection.'))
        .map(({ source, destination }) => `${source} ${destination}`)
        .sort()
    const before = await bindings()
    await harm(bench)
    await vi.waitFor(async () => expect(await bindings()).toEqual(before), patience)
    await bench.send(createClick())
    await untilCounted(bench, 1)
  })

  test('waits while the database refuses connections, and loses and duplicates nothing', async () => {
    const bench = await createBench()
    const consumer = await bench.startProcessor()
    await bench.send(createClick())
    await untilCounted(bench, 1)
    await bench.ask('alter role clicktally_processor connection limit 0')
    try {
      await bench.ask(
        `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'clicktally_processor' and datname = current_database()`,
      )
      await bench.send(...Array.from({ length: 50 }, () => createClick()))
      // Taken from the queue, and held.
      await vi.waitFor(async () => expect(await bench.broker.depth()).toBe(0), patience)
      expect(consumer.isConsuming).toBe(true)
      expect(await bench.tally()).toEqual({ stored: 1, counted: 1 })
    } finally {
      await bench.ask('alter role clicktally_processor connection limit -1')
    }
    await untilCounted(bench, 51)
    expect(await bench.deadLetters()).toEqual([])
  })

  test('returns its messages when it is cut off from the database, consumes none meanwhile, and continues afterwards', async () => {
    const bench = await createBench()
    const url = new URL(bench.database.processorUrl)
    const proxy = await TcpProxy.open({ host: url.hostname, port: Number(url.port) })
    onTestFinished(() => proxy.close())
    url.hostname = '127.0.0.1'
    url.port = String(proxy.port)
    const cutOff = await bench.startProcessor({ databaseUrl: url.href, holdWhileAwayMs: 300 })
    await bench.send(createClick())
    await untilCounted(bench, 1)
    proxy.silence()
    await bench.send(...Array.from({ length: 20 }, () => createClick()))
    await vi.waitFor(() => expect(cutOff.isConsuming).toBe(false), patience)
    // In one message, among the suspects.
    await vi.waitFor(async () => expect(await bench.broker.depth(topology.suspectQueue)).toBe(1), patience)
    await bench.startProcessor()
    await untilCounted(bench, 21)
    proxy.resume()
    await vi.waitFor(() => expect(cutOff.isConsuming).toBe(true), patience)
    expect(await bench.balance()).toMatchObject({ accepted: 21, counted: 21, duplicates: 0 })
  })

  test('writes and acknowledges what it holds when it stops', async () => {
    const bench = await createBench()
    const consumer = await bench.startProcessor()
    for (let message = 0; message < 200; message += 1) await bench.send(createClick())
    await vi.waitFor(async () => expect((await bench.tally()).stored).toBeGreaterThan(0), patience)
    await consumer.close()
    const { stored, counted } = await bench.tally()
    expect(stored).toBe(counted)
    // The broker takes back what it gets from a closed channel a moment later.
    await vi.waitFor(async () => expect(stored + (await bench.broker.depth())).toBe(200), patience)
    await bench.startProcessor()
    await untilCounted(bench, 200)
  })

  test('many processors with the same target do not deadlock, lose or duplicate', async () => {
    const bench = await createBench()
    await Promise.all([1, 2, 3, 4].map(() => bench.startProcessor({ prefetch: 20, maxClicks: 50 })))
    const clicks = Array.from({ length: 600 }, () => createClick({ target: 'the-one' }))
    const order = clicks.concat(clicks.toReversed())
    for (let at = 0; at < order.length; at += 10) await bench.send(...order.slice(at, at + 10))
    await bench.untilProcessed()
    expect(await bench.tally()).toEqual({ stored: 600, counted: 600 })
    const [row] = await bench.ask('select deadlocks::int from pg_stat_database where datname = current_database()')
    expect(row).toEqual({ deadlocks: 0 })
  })
})

describe("the processor's role", () => {
  test('may add clicks and counts, but not change or delete them', async () => {
    const bench = await createBench()
    const client = new Client({ connectionString: bench.database.processorUrl })
    await client.connect()
    try {
      for (const statement of [
        'delete from clicks',
        'update clicks set bot = true',
        'delete from counter_deltas',
        'update minute_counters set total = 0',
        'delete from minute_counters',
        'drop table clicks',
        'create table own (id int)',
      ]) {
        await expect(client.query(statement)).rejects.toThrow(/permission denied|must be owner/)
      }
    } finally {
      await client.end()
    }
  })
})
