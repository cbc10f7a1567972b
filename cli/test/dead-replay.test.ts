import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { topology } from '@clicktally/broker/topology.ts'
import { encodeClick } from '@clicktally/message/clicks-message.ts'
import { createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { Client } from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type CliBench, createCliBench } from './cli-under-test.ts'

async function buryMany({ ask }: CliBench, letters: number): Promise<void> {
  // Each letter holds a click as ingest stamps it, with a UUIDv7 of the current time.
  await ask(
    `with click as (
       select n, uuidv7() as id, (extract(epoch from now()) * 1000)::bigint as ms from generate_series(1, $1::int) n
     )
     insert into dead_letters (producer, sequence, reason, detail, type, content, clicks, click_ids)
     select '22222222-2222-4222-8222-222222222222', n, 'refused_by_database', '', 'clicks.v1',
       convert_to(json_build_object('id', id, 'projectId', 1, 'target', 'button', 'occurredAtMs', ms, 'receivedAtMs', ms,
         'requestId', 'request-1')::text, 'UTF8'),
       1, array[id]
     from click`,
    [letters],
  )
}

async function openLetters({ ask }: CliBench): Promise<number> {
  const [row] = await ask<{ open: number }>('select count(*)::int as open from dead_letters where resolution is null')
  return row?.open ?? -1
}

/** Blocks marking letters after some have been marked, until it is released. */
async function holdWhenSomeAreMarked(bench: CliBench): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: bench.database.ownerUrl })
  await client.connect()
  onTestFinished(() => client.end())
  await client.query(`
    create function hold() returns trigger language plpgsql as $$
    begin
      if exists (select from dead_letters where resolution is not null) then perform pg_advisory_xact_lock(1); end if;
      return null;
    end $$`)
  await client.query('create trigger hold before update on dead_letters for each statement execute function hold()')
  await client.query('select pg_advisory_lock(1)')
  return async () => {
    await client.query('select pg_advisory_unlock(1)')
  }
}

/** Whether the broker rejects another message. */
function isRefused({ broker }: CliBench): Promise<boolean> {
  return new Promise((resolve) => {
    broker.channel.publish(topology.exchange, topology.routingKey, Buffer.from('x'), {}, (error) =>
      resolve(Boolean(error)),
    )
  })
}

describe('dead replay', () => {
  test('sends each click once, and marks the letters', async () => {
    const bench = await createCliBench()
    await bench.startProcessor()
    const counted = createClick()
    await bench.send(counted)
    await bench.untilProcessed()
    const others = [createClick(), createClick({ target: 'link' })]
    const [first, ...rest] = await bench.buryClicks(counted, ...others)
    const { code, stdout } = await bench.run('dead', 'replay', String(first), ...rest.map(String))
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Replayed 3 letters (3 clicks).\n' })
    await vi.waitFor(async () => expect(await bench.tally()).toEqual({ stored: 3, counted: 3 }), patience)
    expect(await openLetters(bench)).toBe(0)
    const again = await bench.run('dead', 'replay', String(first))
    expect(again.code).toBe(0)
    expect(again.stdout).toBe('Nothing to replay.\n')
    expect(again.stderr).toBe(`Letter ${first} is replayed already: left as it is.\n`)
  })

  test('keeps the attributes of a click, as a rebuild does', async () => {
    const bench = await createCliBench()
    await bench.startProcessor()
    const click = createClick({ url: '/a?utm_source=b', country: 'DE', agent: 'dea', props: { plan: 'pro' } })
    await bench.buryClicks(click)
    await bench.run('dead', 'replay', '--all')
    await vi.waitFor(async () => expect(await bench.tally()).toEqual({ stored: 1, counted: 1 }), patience)
    const stored = [{ url: click.url, country: 'DE', agent: 'dea', props: click.props }]
    expect(await bench.ask('select url, country, agent, props from clicks')).toEqual(stored)
    expect(await bench.run('rebuild', '--yes')).toMatchObject({ code: 0 })
    expect(await bench.ask('select url, country, agent, props from clicks')).toEqual(stored)
    expect(await bench.tally()).toEqual({ stored: 1, counted: 1 })
  })

  test('sends a letter with several clicks unchanged, with a ledger stamp, followed by a report for the ledger', async () => {
    const bench = await createCliBench()
    const clicks = [createClick(), createClick(), createClick()]
    const content = clicks.map(encodeClick).join('\n')
    await bench.bury({ reason: 'delivery_limit', content, clicks: 3 })
    await bench.run('dead', 'replay', '--reason', 'delivery_limit')
    const letter = await bench.broker.channel.get(topology.queue, { noAck: true })
    const report = await bench.broker.channel.get(topology.queue, { noAck: true })
    if (letter === false || report === false) throw new Error('two messages were expected')
    expect(letter.content.toString()).toBe(content)
    expect(letter.properties).toMatchObject({
      type: 'clicks.v2',
      deliveryMode: 2,
      headers: { sequence: 1, clicks: 3, settled: 0, confirmed: 0 },
    })
    expect(report.content).toHaveLength(0)
    expect(report.properties.headers).toMatchObject({
      producer: letter.properties.headers?.producer,
      sequence: 2,
      clicks: 0,
      settled: 1,
      confirmed: 3,
    })
  })

  test('filters by reason and time', async () => {
    const bench = await createCliBench()
    const old = new Date('2026-01-01T00:00:00Z')
    const ids = await bench.bury(
      { reason: 'undecodable' },
      { reason: 'delivery_limit' },
      { reason: 'delivery_limit', diedAt: old },
    )
    await bench.run('dead', 'replay', '--reason', 'delivery_limit', '--since', '2026-02-01')
    const open = await bench.ask<{ id: number }>('select id from dead_letters where resolution is null order by id')
    expect(open.map(({ id }) => id)).toEqual([ids[0], ids[2]])
  })

  test('is not endless: clicks that fail again become new letters', async () => {
    const bench = await createCliBench()
    await bench.startProcessor()
    const [id] = await bench.bury({ reason: 'undecodable', content: 'still not a click' })
    expect((await bench.run('dead', 'replay', '--all')).stdout).toBe('Replayed 1 letter (1 click).\n')
    await vi.waitFor(async () => {
      const letters = await bench.json<{ id: number; reason: string; resolution: string | null }>(
        'dead',
        'list',
        '--all',
      )
      expect(letters).toMatchObject([
        { reason: 'undecodable', resolution: null },
        { id, resolution: 'replayed' },
      ])
    }, patience)
  })

  test('loses and repeats no click when it is killed at random points and then completed', async () => {
    const bench = await createCliBench()
    await bench.startProcessor()
    let letters = 0
    let kills = 0
    // On a busy machine it may finish before it can be killed. That proves nothing, so try again.
    while (kills < 8) {
      if ((await openLetters(bench)) < 2_000) {
        await buryMany(bench, 2_000)
        letters += 2_000
      }
      const before = await openLetters(bench)
      const replay = bench.start('dead', 'replay', '--all')
      // At a random time after it has started to mark letters.
      await vi.waitFor(async () => expect(await openLetters(bench)).toBeLessThan(before), {
        ...patience,
        interval: 1,
      })
      await sleep(randomInt(0, 40))
      replay.process.kill('SIGKILL')
      kills += (await replay.ended).signal === 'SIGKILL' ? 1 : 0
    }
    expect((await bench.run('dead', 'replay', '--all')).code).toBe(0)
    expect(await openLetters(bench)).toBe(0)
    await vi.waitFor(async () => expect(await bench.tally()).toEqual({ stored: letters, counted: letters }), patience)
    await bench.untilProcessed()
    expect(await bench.tally()).toEqual({ stored: letters, counted: letters })
  })

  test('may run twice at the same time, sharing the letters', async () => {
    const bench = await createCliBench()
    const letters = 1_500
    await buryMany(bench, letters)
    const replays = await Promise.all([1, 2].map(() => bench.start('dead', 'replay', '--all').ended))
    expect(replays.map(({ code }) => code)).toEqual([0, 0])
    const counts = replays.map(({ stdout }) => Number(/Replayed ([\d,]+)/.exec(stdout)?.[1]?.replace(',', '') ?? 0))
    expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBe(letters)
    expect(await openLetters(bench)).toBe(0)
    await bench.startProcessor()
    await vi.waitFor(async () => expect(await bench.tally()).toEqual({ stored: letters, counted: letters }), patience)
    expect(await bench.ask('select sum(duplicates)::int as duplicates from messages')).toEqual([{ duplicates: 0 }])
  })

  test('finishes the locked letters when it is interrupted, and prints how many were replayed', async () => {
    const bench = await createCliBench()
    await buryMany(bench, 3_000)
    const release = await holdWhenSomeAreMarked(bench)
    const replay = bench.start('dead', 'replay', '--all')
    await vi.waitFor(async () => expect(await openLetters(bench)).toBeLessThan(3_000), patience)
    replay.process.kill('SIGINT')
    await release()
    const { code, stdout } = await replay.ended
    const replayed = 3_000 - (await openLetters(bench))
    expect(code).toBe(130)
    expect(stdout).toBe(
      `Replayed ${replayed.toLocaleString('en')} letters (${replayed.toLocaleString('en')} clicks). Interrupted: the others were not replayed.\n`,
    )
    // The letters, and a report for the ledger.
    expect(await bench.broker.depth()).toBe(replayed + 1)
  })

  test('changes nothing if the queue is missing', async () => {
    const bench = await createCliBench()
    const ids = await bench.bury({}, {})
    await bench.broker.channel.unbindQueue(topology.queue, topology.exchange, topology.routingKey)
    const { code, stdout, stderr } = await bench.run('dead', 'replay', '--all')
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'Replayed 0 letters (0 clicks).\n' })
    expect(stderr).toContain('The queue for clicks, or its binding, is missing at the broker')
    expect(await openLetters(bench)).toBe(ids.length)
  })

  test('changes nothing if the queue is full', async () => {
    const bench = await createCliBench()
    await bench.broker.manage('PUT', '/policies/{vhost}/full', {
      pattern: '^clicks$',
      'apply-to': 'queues',
      definition: { 'max-length': 1, overflow: 'reject-publish' },
    })
    await vi.waitFor(async () => expect(await isRefused(bench)).toBe(true), patience)
    await bench.bury({}, {})
    const { code, stdout, stderr } = await bench.run('dead', 'replay', '--all')
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'Replayed 0 letters (0 clicks).\n' })
    expect(stderr).toContain('The broker refused a letter: its queue is full')
    expect(await openLetters(bench)).toBe(2)
  })

  test('changes nothing without the exchange or the broker, and says so', async () => {
    const bench = await createCliBench()
    await bench.bury({})
    await bench.broker.channel.deleteExchange(topology.exchange)
    const { code, stderr } = await bench.run('dead', 'replay', '--all')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^The broker at 127.0.0.1:\d+ closed the connection: .*no exchange 'clicks.incoming'.*\n$/)
    expect(await openLetters(bench)).toBe(1)
  })

  test('requires a selection of letters', async () => {
    const bench = await createCliBench()
    const [id] = await bench.bury({})
    const none = await bench.run('dead', 'replay')
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('Which letters?')])
    const both = await bench.run('dead', 'replay', String(id), '--all')
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('not both')])
    expect(await openLetters(bench)).toBe(1)
  })
})
