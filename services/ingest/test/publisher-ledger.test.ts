import { assertTopology, topology } from '@clicktally/broker/topology.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import type { LedgerStamp } from '@clicktally/message/ledger-stamp.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestBroker, type TestBroker } from '@clicktally/testing/test-broker.ts'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { createBench, createIngest, drain, expectProblem, type Ingest, post } from './ingest-under-test.ts'
import { startLoad } from './load.ts'
import { createSlowLink } from './slow-link.ts'

/** Long enough that every confirmed click is answered 202, even on a slow machine. */
const longDeadline = { confirmWithinMs: 60_000 }

function clicksOf(stamps: readonly LedgerStamp[]): number {
  return stamps.reduce((sum, { clicks }) => sum + clicks, 0)
}

/** Grouped by producer, in the order of publishing. */
function byProducer(stamps: readonly LedgerStamp[]): LedgerStamp[][] {
  const sorted = stamps.toSorted((a, b) => a.sequence - b.sequence)
  return [...Map.groupBy(sorted, ({ producer }) => producer).values()]
}

/** Checks every stamp against the messages; `stamps` must be those of all messages that ever arrived. */
function expectCorrect(stamps: readonly LedgerStamp[]): void {
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

/** The clicks that were confirmed, according to the latest of these stamps. */
function totalConfirmed(stamps: readonly LedgerStamp[]): number {
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

/** Reads messages from the queue until a report without clicks arrives. */
async function collect(broker: TestBroker): Promise<LedgerStamp[]> {
  const stamps: LedgerStamp[] = []
  await vi.waitFor(async () => {
    stamps.push(...(await drain(broker)).stamps)
    expect(stamps.at(-1)?.clicks).toBe(0)
  }, patience)
  return stamps
}

/** Waits until another idle ingest has reported this many times, so that the first had time to report as well. */
async function othersHaveReported(times: number): Promise<void> {
  const other = await createBench()
  for (let time = 0; time < times; time += 1) {
    await accept(other)
    await collect(other.broker)
  }
}

describe('the stamps of ingest', () => {
  test('are numbered without gaps, and their totals are correct', async () => {
    const { app, publisher, broker } = await createBench(longDeadline)
    const load = startLoad(app)
    await vi.waitFor(() => expect(load.accepted.size).toBeGreaterThan(500), patience)
    await load.stop()
    await publisher.close()
    const { stamps } = await drain(broker)
    expect(byProducer(stamps)).toHaveLength(1)
    expect(stamps.map(({ sequence }) => sequence)).toEqual(stamps.map((_, index) => index + 1))
    expectCorrect(stamps)
    expect(totalConfirmed(stamps)).toBe(load.accepted.size)
    expect(clicksOf(stamps)).toBe(load.accepted.size)
  })

  test('name the previous connection and how it ended, after the broker closed it under load', async () => {
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
    expectCorrect(stamps)
    expect(totalConfirmed(stamps)).toBe(load.accepted.size)
  })

  test('count returned messages as settled and not accepted', async () => {
    const ingest = await createBench()
    const { app, broker } = ingest
    await accept(ingest)
    const taken = (await drain(broker)).stamps
    await broker.channel.deleteQueue(topology.queue)
    expectProblem(await post(app, '/v1/events', { target: 'lost' }), 503, 'unroutable')
    await assertTopology(broker.channel)
    await vi.waitFor(() => accept(ingest), patience)
    const stamps = [...taken, ...(await collect(broker))]
    expectCorrect(stamps)
    // On one connection: the returned message is settled, and not counted as confirmed.
    expect(byProducer(stamps)).toHaveLength(1)
    const last = stamps.at(-1)
    expect(last).toMatchObject({ settled: (last?.sequence ?? 0) - 1, confirmed: 2 })
  })

  test('count clicks as accepted that were confirmed after their requests were answered 503', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const { app, ready } = createIngest(link.url, { confirmWithinMs: 500 })
    await ready()
    link.silence()
    expectProblem(await post(app, '/v1/events', { target: 't' }), 503, 'confirm_timeout')
    link.resume()
    const stamps = await collect(broker)
    expectCorrect(stamps)
    expect(stamps.at(-1)).toMatchObject({ clicks: 0, settled: 1, confirmed: 1 })
  })

  test('are correct for any sequence of broken connections', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ clicks: fc.integer({ min: 1, max: 200 }) }) },
      { weight: 3, arbitrary: fc.constant('answers' as const) },
      { weight: 1, arbitrary: fc.constant('cut' as const) },
      { weight: 1, arbitrary: fc.constant('cut silently' as const) },
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
          // Either the messages in transit are lost, or their confirms.
          if (step === 'cut silently') link.silence()
          link.cut()
          link.resume()
          await vi.waitFor(() => expect(publisher.isReady).toBe(false), { ...patience, interval: 1 })
        }
      }
      await Promise.all(sending)
      await ready()
      await publisher.close()
      const { clicks, stamps } = await drain(broker)
      expectCorrect(stamps)
      const queued = new Set(clicks.map(({ id }) => id))
      expect([...accepted].filter((id) => !queued.has(id))).toEqual([])
      expect(totalConfirmed(stamps)).toBe(accepted.size)
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

  test('follows a broken connection even without further clicks', async () => {
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

  test('waits while the broker is blocked', async () => {
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

  test('is the last message of an ingest that stops', async () => {
    const ingest = await createBench()
    await accept(ingest)
    await ingest.publisher.close()
    expect((await drain(ingest.broker)).stamps).toMatchObject([
      { clicks: 1 },
      { clicks: 0, sequence: 2, settled: 1, confirmed: 1 },
    ])
  })
})
