import { assertTopology, topology } from '@clicktally/broker/topology.ts'
import type { LedgerStamp } from '@clicktally/contract/ledger-stamp.ts'
import { randomUuidV7 } from '@clicktally/contract/uuid-v7.ts'
import { createTestBroker, type TestBroker } from '@clicktally/testing/test-broker.ts'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { createBench, createIngest, drain, expectProblem, type Ingest, patience, post } from './ingest-under-test.ts'
import { startLoad } from './load.ts'
import { createSlowLink } from './slow-link.ts'

/** So that what is confirmed is what was answered 202, on the slowest machine. */
const longDeadline = { confirmWithinMs: 60_000 }

function clicksOf(stamps: readonly LedgerStamp[]): number {
  return stamps.reduce((sum, { clicks }) => sum + clicks, 0)
}

/** By producer, and in the order in which each has sent them. */
function byProducer(stamps: readonly LedgerStamp[]): LedgerStamp[][] {
  const sorted = stamps.toSorted((a, b) => a.sequence - b.sequence)
  return [...Map.groupBy(sorted, ({ producer }) => producer).values()]
}

/** Holds every stamp against the messages that are in the queue: all that ever arrived must be among them. */
function expectTrue(stamps: readonly LedgerStamp[]): void {
  for (const own of byProducer(stamps)) {
    expect(new Set(own.map(({ sequence }) => sequence)).size).toBe(own.length)
    for (const { settled, confirmed } of own) {
      expect(clicksOf(own.filter(({ sequence }) => sequence <= settled))).toBe(confirmed)
    }
  }
  for (const { previous } of stamps) {
    if (previous === undefined) continue
    const named = stamps.filter(({ producer }) => producer === previous.producer)
    expect(clicksOf(named.filter(({ sequence }) => !previous.unknown.includes(sequence)))).toBe(previous.confirmed)
  }
}

/** Clicks that were surely accepted, by what the newest of these stamps tell. */
function confirmedInAll(stamps: readonly LedgerStamp[]): number {
  const ended = new Map(stamps.flatMap(({ previous }) => (previous ? [[previous.producer, previous.confirmed]] : [])))
  for (const own of byProducer(stamps)) {
    const [{ producer }] = own as [LedgerStamp]
    if (!ended.has(producer)) ended.set(producer, Math.max(...own.map(({ confirmed }) => confirmed)))
  }
  return [...ended.values()].reduce((sum, confirmed) => sum + confirmed, 0)
}

async function accept({ app }: Ingest): Promise<void> {
  expect(await post(app, '/v1/events', { target: 't' })).toMatchObject({ status: 202 })
}

/** Takes messages out of the queue as they come. */
async function collect(broker: TestBroker): Promise<LedgerStamp[]> {
  const stamps: LedgerStamp[] = []
  await vi.waitFor(async () => {
    stamps.push(...(await drain(broker)).stamps)
    expect(stamps.at(-1)?.clicks).toBe(0)
  }, patience)
  return stamps
}

/** Another ingest has so often been idle for so long that it reported: time enough for whatever else would report. */
async function othersHaveReported(times: number): Promise<void> {
  const other = await createBench()
  for (let time = 0; time < times; time += 1) {
    await accept(other)
    await collect(other.broker)
  }
}

describe('the stamps of ingest', () => {
  test('are numbered without a gap, and their totals are true', async () => {
    const { app, publisher, broker } = await createBench(longDeadline)
    const load = startLoad(app)
    await vi.waitFor(() => expect(load.accepted.size).toBeGreaterThan(500), patience)
    await load.stop()
    await publisher.close()
    const { stamps } = await drain(broker)
    expect(byProducer(stamps)).toHaveLength(1)
    expect(stamps.map(({ sequence }) => sequence)).toEqual(stamps.map((_, index) => index + 1))
    expectTrue(stamps)
    expect(confirmedInAll(stamps)).toBe(load.accepted.size)
    expect(clicksOf(stamps)).toBe(load.accepted.size)
  })

  test('name the connection before, and how it ended, when the server has closed it under load', async () => {
    const { app, publisher, broker } = await createBench(longDeadline)
    const load = startLoad(app, 64)
    for (let round = 1; round <= 2; round += 1) {
      const before = load.accepted.size
      await vi.waitFor(() => expect(load.accepted.size).toBeGreaterThan(before + 100), patience)
      const refusedBefore = load.refused.length
      await vi.waitFor(async () => {
        await broker.closeConnections()
        expect(load.refused.length).toBeGreaterThan(refusedBefore)
      }, patience)
    }
    const before = load.accepted.size
    await vi.waitFor(() => expect(load.accepted.size).toBeGreaterThan(before + 100), patience)
    await load.stop()
    await publisher.close()
    const { stamps } = await drain(broker)
    const producers = byProducer(stamps)
    expect(producers.length).toBeGreaterThanOrEqual(3)
    expect(producers.filter(([first]) => first?.previous === undefined)).toHaveLength(1)
    expectTrue(stamps)
    expect(confirmedInAll(stamps)).toBe(load.accepted.size)
  })

  test('count what the queue refuses or nobody routes as not accepted, and leave it not unknown', async () => {
    const ingest = await createBench()
    const { app, broker } = ingest
    await accept(ingest)
    const taken = (await drain(broker)).stamps
    await broker.channel.deleteQueue(topology.queue)
    expectProblem(await post(app, '/v1/events', { target: 'lost' }), 503, 'unroutable')
    await assertTopology(broker.channel)
    await vi.waitFor(() => accept(ingest), patience)
    const stamps = [...taken, ...(await collect(broker))]
    expectTrue(stamps)
    // One connection all the while: what was returned is settled, and adds nothing to what was confirmed.
    expect(byProducer(stamps)).toHaveLength(1)
    const last = stamps.at(-1)
    expect(last).toMatchObject({ settled: (last?.sequence ?? 0) - 1, confirmed: 2 })
  })

  test('count clicks as accepted that were confirmed after their requests had been answered 503', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const { app, ready } = createIngest(link.url, { confirmWithinMs: 500 })
    await ready()
    link.silence()
    expectProblem(await post(app, '/v1/events', { target: 't' }), 503, 'confirm_timeout')
    link.resume()
    const stamps = await collect(broker)
    expectTrue(stamps)
    expect(stamps.at(-1)).toMatchObject({ clicks: 0, settled: 1, confirmed: 1 })
  })

  test('are true whenever a connection breaks', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ clicks: fc.integer({ min: 1, max: 200 }) }) },
      { weight: 3, arbitrary: fc.constant('answers' as const) },
      { weight: 1, arbitrary: fc.constant('cut' as const) },
      { weight: 1, arbitrary: fc.constant('cut unheard' as const) },
    )
    const broker = await createTestBroker()
    const run = fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40, size: 'max' }), async (steps) => {
      const link = await createSlowLink(broker.url)
      const { app, publisher, ready } = createIngest(link.url, longDeadline)
      const accepted = new Set<string>()
      let sending: Promise<void>[] = []
      const send = async () => {
        const id = randomUuidV7(Date.now())
        if ((await post(app, '/v1/events', { target: 't', id })).status === 202) accepted.add(id)
      }
      for (const step of steps) {
        await ready()
        if (step === 'answers') {
          await Promise.all(sending)
          sending = []
        } else if (typeof step === 'object') {
          sending.push(...Array.from({ length: step.clicks }, send))
          await new Promise(setImmediate)
        } else {
          // What is on its way is lost, or its confirm is.
          if (step === 'cut unheard') link.silence()
          link.cut()
          link.resume()
          await vi.waitFor(() => expect(publisher.isReady).toBe(false), { ...patience, interval: 1 })
        }
      }
      await Promise.all(sending)
      await ready()
      await publisher.close()
      const { clicks, stamps } = await drain(broker)
      expectTrue(stamps)
      const queued = new Set(clicks.map(({ id }) => id))
      expect([...accepted].filter((id) => !queued.has(id))).toEqual([])
      expect(confirmedInAll(stamps)).toBe(accepted.size)
    })
    await fc.assert(run, { numRuns: 3, endOnFailure: true })
  })
})

describe('a report to the ledger', () => {
  test('follows the last click, once', async () => {
    const ingest = await createBench()
    await accept(ingest)
    const stamps = await collect(ingest.broker)
    expect(stamps).toMatchObject([
      { sequence: 1, clicks: 1, settled: 0, confirmed: 0 },
      { sequence: 2, clicks: 0, settled: 1, confirmed: 1 },
    ])
    await othersHaveReported(2)
    await accept(ingest)
    expect((await drain(ingest.broker)).stamps).toMatchObject([{ sequence: 3, clicks: 1, settled: 2, confirmed: 1 }])
  })

  test('tells of a connection that broke, though no click comes any more', async () => {
    const ingest = await createBench()
    await accept(ingest)
    const [first] = await collect(ingest.broker)
    await vi.waitFor(async () => {
      await ingest.broker.closeConnections()
      expect(ingest.publisher.isReady).toBe(false)
    }, patience)
    const [report] = await collect(ingest.broker)
    expect(report).toMatchObject({ sequence: 1, clicks: 0, settled: 0, confirmed: 0 })
    expect(report?.previous).toEqual({ producer: first?.producer, confirmed: 1, unknown: [] })
  })

  test('waits while the broker takes no messages', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const ingest = createIngest(link.url)
    await ingest.ready()
    await accept(ingest)
    link.sayBlocked('low on memory')
    await vi.waitFor(() => expect(ingest.publisher.isReady).toBe(false), patience)
    const before = (await drain(broker)).stamps
    await othersHaveReported(2)
    expect((await drain(broker)).stamps).toEqual([])
    link.sayUnblocked()
    const stamps = before.at(-1)?.clicks === 0 ? before : [...before, ...(await collect(broker))]
    expect(stamps).toMatchObject([{ clicks: 1 }, { clicks: 0, settled: 1, confirmed: 1 }])
  })

  test('is the last that a stopping ingest sends', async () => {
    const ingest = await createBench()
    await accept(ingest)
    await ingest.publisher.close()
    expect((await drain(ingest.broker)).stamps).toMatchObject([
      { clicks: 1 },
      { clicks: 0, sequence: 2, settled: 1, confirmed: 1 },
    ])
  })
})
