import { topology } from '@clicktally/broker/topology.ts'
import { createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { describe, expect, test, vi } from 'vitest'
import { type CliBench, createCliBench, runCli } from './cli-under-test.ts'

interface BalanceJson {
  accepted: number
  counted: number
  duplicates: number
  dead: number
  discarded: number
  inFlight: number
  overdue: number
  counters: number
  verdict: string
  broker: { ready: number; unacknowledged: number; dead: number } | null
  brokerProblem?: string
}

async function balance({ json }: CliBench): Promise<BalanceJson> {
  const [reading] = await json<BalanceJson>('balance')
  if (reading === undefined) throw new Error('no balance')
  return reading
}

/** The `asOf` of a processor that reports all the time: an hour ahead, so that it is not outdated on a slow machine. */
async function createKnownBench(): Promise<CliBench> {
  const bench = await createCliBench()
  await report(bench, '1 hour')
  return bench
}

async function report(bench: CliBench, ahead: string): Promise<void> {
  await bench.ask(
    `insert into processor_progress (processor, name, counted_through, connections)
     values ('01a20e6b-0000-7000-8000-000000000000', 'test', clock_timestamp() + '${ahead}'::interval, '{}')
     on conflict (processor) do update set counted_through = excluded.counted_through`,
  )
}

describe('balance', () => {
  test('accounts for every accepted click', async () => {
    const bench = await createKnownBench()
    await bench.startProcessor()
    const click = createClick()
    await bench.send(click, createClick(), createClick())
    await bench.send(click)
    await bench.untilProcessed()
    await bench.send()
    const { stdout, code } = await bench.run('balance')
    expect(code).toBe(0)
    expect(stdout).toMatch(/accepted +4\n= counted +3 +the counters add up to the same\n\+ duplicates +1 /)
    expect(stdout).toContain('settled: every accepted click has been processed')
    expect(await balance(bench)).toMatchObject({
      accepted: 4,
      counted: 3,
      duplicates: 1,
      inFlight: 0,
      verdict: 'settled',
    })
  })

  test('shows a message that was removed from the queue', async () => {
    const bench = await createKnownBench()
    await bench.send(createClick(), createClick())
    expect(await bench.broker.channel.get(topology.queue, { noAck: true })).not.toBe(false)
    await bench.startProcessor()
    await bench.send(createClick())
    await bench.send(createClick())
    await bench.untilProcessed()
    expect(await balance(bench)).toMatchObject({
      accepted: 4,
      counted: 2,
      inFlight: 2,
      overdue: 0,
      verdict: 'in_flight',
    })
    // As if more than a minute had passed: rows of the ledger are folded by their age.
    await bench.ask(`select fold_ledger('0')`)
    await vi.waitFor(async () => expect(await balance(bench)).toMatchObject({ inFlight: 2, verdict: 'lost' }), patience)
    const { code, stdout } = await bench.run('balance')
    expect(code).toBe(1)
    expect(stdout).toContain('LOST: 2 clicks; the broker holds no more messages')
  })

  test('warns about unfolded clicks, as verify does', async () => {
    const bench = await createKnownBench()
    await bench.startProcessor()
    await bench.send(createClick())
    await bench.untilProcessed()
    await bench.ask(`update rollup_horizon set folded_through = now()`)
    for (const command of ['balance', 'verify']) expect((await bench.run(command)).stdout).not.toContain('FOLDED')
    // No fold runs here. As if for two minutes:
    await bench.ask(`update rollup_horizon set folded_through = now() - interval '2 minutes'`)
    await bench.ask(`update counter_deltas set set_aside_until = now() + interval '1 hour' where target = ''`)
    for (const command of ['balance', 'verify']) {
      const { code, stdout } = await bench.run(command)
      expect(code).toBe(0)
      expect(stdout).toMatch(/NOT FOLDED: clicks have waited up to \d+ s to be folded/)
      expect(stdout).toContain('SET ASIDE: 1 delta could not be added to a counter')
    }
    await bench.ask('select fold_counters()')
    expect((await bench.run('balance')).stdout).not.toContain('NOT FOLDED')
  })

  test('is broken by a wrong counter', async () => {
    const bench = await createKnownBench()
    await bench.startProcessor()
    await bench.send(createClick(), createClick())
    await bench.untilProcessed()
    await bench.ask('select fold_counters()')
    await bench.ask(`update minute_counters set total = total + 5 where target <> ''`)
    const { code, stdout } = await bench.run('balance')
    expect(code).toBe(1)
    expect(stdout).toContain(
      'BROKEN: 2 were counted, but the counters add up to 7: "verify" shows where, "rebuild" repairs them',
    )
  })

  test('holds with dead letters, replays and discards', async () => {
    const bench = await createKnownBench()
    await bench.startProcessor()
    await bench.ask(`
      create function refuse() returns trigger language plpgsql as $$
        begin if new.target = 'bad' then raise 'not this one'; end if; return new; end $$;
      create trigger refuse before insert on clicks for each row execute function refuse()`)
    await bench.send(createClick(), createClick({ target: 'bad' }), createClick({ target: 'bad' }))
    await bench.untilProcessed()
    await vi.waitFor(
      async () => expect(await balance(bench)).toMatchObject({ accepted: 3, counted: 1, dead: 2 }),
      patience,
    )
    const [letter] = await bench.json<{ id: number }>('dead', 'list')
    await bench.run('dead', 'discard', String(letter?.id), '--yes')
    expect(await balance(bench)).toMatchObject({ accepted: 3, counted: 1, dead: 1, discarded: 1 })
    await bench.ask('drop trigger refuse on clicks')
    await bench.run('dead', 'replay', '--all')
    await vi.waitFor(async () => {
      const settled = { accepted: 3, counted: 2, dead: 0, discarded: 1, inFlight: 0, verdict: 'settled' }
      expect(await balance(bench)).toMatchObject(settled)
    }, patience)
  })

  test('is unknown while processors cannot reach the queue, not a balance of 0 in flight', async () => {
    const bench = await createCliBench()
    expect(await balance(bench)).toMatchObject({ verdict: 'not_known', knownThrough: null })
    await report(bench, '1 hour')
    const processor = await bench.startProcessor()
    await bench.send(createClick())
    await bench.untilProcessed()
    expect(await balance(bench)).toMatchObject({ inFlight: 0, verdict: 'settled' })
    await processor.close()
    await bench.send(createClick(), createClick())
    // While it cannot reach the queue, a processor reports the same time repeatedly.
    await report(bench, '-1 minute')
    const { code, stdout } = await bench.run('balance')
    expect(code).toBe(1)
    expect(stdout).toMatch(/\+ in flight +0 +at least, see below\n/)
    expect(stdout).toMatch(/UNKNOWN since 20[0-9-]+ [0-9:]+Z: /)
  })

  test('works without the management API, and says that it is missing', async () => {
    const { variables } = await createKnownBench()
    const closed = { ...variables, CLICKTALLY_MANAGEMENT_URL: 'http://127.0.0.1:9' }
    const { code, stdout } = await runCli(['balance'], closed)
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /The state of the broker's queues is unknown: its management API at 127.0.0.1:9 gives no answer: .*\n/,
    )
    expect(stdout).toContain('settled')
  })

  test('--watch continues until it is interrupted', async () => {
    const { start } = await createKnownBench()
    const watching = start('balance', '--watch', '--json')
    let readings = 0
    watching.process.stdout?.on('data', (text: string) => {
      readings += text.split('\n').length - 1
    })
    await vi.waitFor(() => expect(readings).toBeGreaterThan(1), patience)
    watching.process.kill('SIGINT')
    expect(await watching.ended).toMatchObject({ code: 0, stderr: '' })
  })
})
