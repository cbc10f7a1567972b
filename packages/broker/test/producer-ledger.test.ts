import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type LedgerStamp, type PreviousProducer, readStamp, stampHeaders } from '@clicktally/contract/ledger-stamp.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProducerLedger } from '../producer-ledger.ts'

type Outcome = 'confirmed' | 'refused'

function settle(ledger: ProducerLedger, outcome: Outcome, sequence: number): void {
  if (outcome === 'confirmed') ledger.confirmed(sequence)
  else ledger.refused(sequence)
}

describe('the ledger of a connection', () => {
  test('numbers its messages, and tells what became of those before', () => {
    const ledger = new ProducerLedger()
    const { producer } = ledger
    expect(ledger.stamp(5)).toEqual({ producer, sequence: 1, clicks: 5, settled: 0, confirmed: 0 })
    expect(ledger.stamp(7)).toEqual({ producer, sequence: 2, clicks: 7, settled: 0, confirmed: 0 })
    ledger.confirmed(1)
    expect(ledger.stamp(1)).toEqual({ producer, sequence: 3, clicks: 1, settled: 1, confirmed: 5 })
    ledger.refused(2)
    ledger.confirmed(3)
    expect(ledger.stamp(0)).toEqual({ producer, sequence: 4, clicks: 0, settled: 3, confirmed: 6 })
  })

  test('tells nothing of messages that have overtaken one without an outcome', () => {
    const ledger = new ProducerLedger()
    for (let message = 1; message <= 4; message += 1) ledger.stamp(10 ** message)
    for (const sequence of [4, 2]) ledger.confirmed(sequence)
    expect(ledger.stamp(0)).toMatchObject({ settled: 0, confirmed: 0 })
    ledger.confirmed(1)
    expect(ledger.stamp(0)).toMatchObject({ settled: 2, confirmed: 110 })
    ledger.refused(3)
    expect(ledger.stamp(0)).toMatchObject({ settled: 4, confirmed: 10_110 })
  })

  test('takes the first outcome of a message, and knows none of a message that was never sent', () => {
    const ledger = new ProducerLedger()
    ledger.stamp(3)
    ledger.confirmed(1)
    ledger.refused(1)
    ledger.confirmed(1)
    ledger.confirmed(2)
    expect(ledger.stamp(0)).toMatchObject({ sequence: 2, settled: 1, confirmed: 3 })
  })

  test('has a producer of its own', () => {
    expect(new ProducerLedger().producer).not.toBe(new ProducerLedger().producer)
  })

  test('makes stamps that are read from the headers as they were', () => {
    const before = new ProducerLedger()
    before.stamp(500)
    before.stamp(500)
    before.stamp(500)
    before.confirmed(2)
    const ledger = new ProducerLedger(before.close())
    ledger.stamp(500)
    ledger.confirmed(1)
    const stamp = ledger.stamp(2)
    expect(stamp.previous).toEqual({ producer: before.producer, confirmed: 500, unknown: [1, 3] })
    expect(readStamp(stampHeaders(stamp))).toEqual(stamp)
  })

  test('keeps nothing of the messages that overtake a late one', () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const ledger = new ProducerLedger()
    const overtake = (messages: number) => {
      for (let message = 0; message < messages; message += 1) ledger.confirmed(ledger.stamp(1).sequence)
    }
    ledger.stamp(1)
    overtake(1_000)
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    overtake(200_000)
    collectGarbage()
    // A number for each would be 1.6 MB.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000)
    ledger.confirmed(1)
    expect(ledger.stamp(0)).toMatchObject({ settled: 201_001, confirmed: 201_001 })
  })
})

describe('news', () => {
  test('are clicks that were confirmed, until a stamp tells of them', () => {
    const ledger = new ProducerLedger()
    expect(ledger.hasNews).toBe(false)
    ledger.stamp(5)
    expect(ledger.hasNews).toBe(false)
    ledger.confirmed(1)
    expect(ledger.hasNews).toBe(true)
    ledger.stamp(0)
    expect(ledger.hasNews).toBe(false)
  })

  test('are not that a report was confirmed', () => {
    const ledger = new ProducerLedger()
    ledger.stamp(5)
    ledger.confirmed(1)
    ledger.stamp(0)
    ledger.confirmed(2)
    expect(ledger.hasNews).toBe(false)
  })

  test('are news again when the message that was to tell them is refused', () => {
    const ledger = new ProducerLedger()
    ledger.stamp(5)
    ledger.confirmed(1)
    ledger.stamp(0)
    ledger.refused(2)
    expect(ledger.hasNews).toBe(true)
    ledger.stamp(0)
    ledger.stamp(0)
    ledger.refused(3)
    expect(ledger.hasNews).toBe(false)
    ledger.confirmed(4)
    expect(ledger.hasNews).toBe(false)
  })

  test('are none when a message before one that tells them is confirmed after it', () => {
    const ledger = new ProducerLedger()
    for (const clicks of [5, 0, 0]) ledger.stamp(clicks)
    ledger.confirmed(1)
    ledger.stamp(0)
    for (const sequence of [4, 2]) ledger.confirmed(sequence)
    ledger.refused(3)
    expect(ledger.hasNews).toBe(false)
  })

  test('are how the connection before has ended', () => {
    const ledger = new ProducerLedger(new ProducerLedger().close())
    expect(ledger.hasNews).toBe(true)
    ledger.stamp(0)
    expect(ledger.hasNews).toBe(false)
    ledger.refused(1)
    expect(ledger.hasNews).toBe(true)
  })
})

describe('the end of a connection', () => {
  test('leaves what has no outcome unknown, and nothing is learned of it any more', () => {
    const ledger = new ProducerLedger()
    for (const clicks of [1, 20, 300]) ledger.stamp(clicks)
    ledger.confirmed(3)
    ledger.refused(1)
    const end = { producer: ledger.producer, confirmed: 300, unknown: [2] }
    expect(ledger.close()).toEqual(end)
    ledger.confirmed(2)
    expect(ledger.close()).toEqual(end)
    expect(() => ledger.stamp(1)).toThrow('closed connection')
  })

  test('is told by every message of the next', () => {
    const end = new ProducerLedger().close()
    const next = new ProducerLedger(end)
    expect([next.stamp(1), next.stamp(0)].map(({ previous }) => previous)).toEqual([end, end])
  })

  test('is told by the one after the next, when nothing of the next has surely arrived', () => {
    const end = new ProducerLedger().close()
    const next = new ProducerLedger(end)
    next.stamp(4)
    next.stamp(4)
    next.refused(1)
    expect(next.close()).toBe(end)
  })
})

describe('whatever becomes of messages and connections', () => {
  interface Sent {
    readonly stamp: LedgerStamp
    outcome?: Outcome
  }
  const clicksOf = (messages: readonly Sent[]) =>
    messages.filter(({ outcome }) => outcome === 'confirmed').reduce((sum, { stamp }) => sum + stamp.clicks, 0)

  /** All that a ledger may say of its messages, worked out from the list of them. */
  function model(sent: readonly Sent[], previous: PreviousProducer | undefined, producer: string) {
    const open = sent.findIndex(({ outcome }) => outcome === undefined)
    const settled = open === -1 ? sent.length : open
    const confirmed = clicksOf(sent.slice(0, settled))
    const told = sent.filter(({ outcome }) => outcome !== 'refused').map(({ stamp }) => stamp.confirmed)
    const hasNews = told.length === 0 ? previous !== undefined : Math.max(...told) < confirmed
    const unknown = sent.filter(({ outcome }) => outcome === undefined).map(({ stamp }) => stamp.sequence)
    const end = { producer, confirmed: clicksOf(sent), unknown }
    return {
      settled,
      confirmed,
      hasNews,
      end: sent.some(({ outcome }) => outcome === 'confirmed') ? end : (previous ?? end),
    }
  }

  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ stamp: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 500 })) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        settle: fc.integer({ min: -1, max: 8 }),
        as: fc.constantFrom<Outcome>('confirmed', 'refused'),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ close: true }) },
  )

  test('each stamp is true, news are news, and every connection with clicks is named by a later one', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        let previous: PreviousProducer | undefined
        let ledger = new ProducerLedger()
        let sent: Sent[] = []
        const ended = new Map<string, number>()
        const named = new Map<string, number>()
        const expectModel = () => {
          const { hasNews } = model(sent, previous, ledger.producer)
          expect(ledger.hasNews).toBe(hasNews)
        }
        const close = () => {
          const { end } = model(sent, previous, ledger.producer)
          if (clicksOf(sent) > 0) ended.set(ledger.producer, clicksOf(sent))
          expect(ledger.close()).toEqual(end)
          previous = end
          ledger = new ProducerLedger(end)
          sent = []
        }
        for (const step of steps) {
          if ('stamp' in step) {
            const { settled, confirmed } = model(sent, previous, ledger.producer)
            const stamp = ledger.stamp(step.stamp)
            const expected = {
              producer: ledger.producer,
              sequence: sent.length + 1,
              clicks: step.stamp,
              settled,
              confirmed,
            }
            expect(stamp).toEqual({ ...expected, ...(previous !== undefined && { previous }) })
            sent.push({ stamp })
          } else if ('settle' in step) {
            // Also of messages that have an outcome already, and of some that were never sent.
            const sequence = sent.length - step.settle
            settle(ledger, step.as, sequence)
            const message = sent[sequence - 1]
            if (message !== undefined) message.outcome ??= step.as
            if (message?.outcome === 'confirmed' && message.stamp.previous !== undefined) {
              named.set(message.stamp.previous.producer, message.stamp.previous.confirmed)
            }
          } else close()
          expectModel()
        }
        close()
        // A last connection, of which one message arrives: by then nothing is untold.
        const { previous: last } = ledger.stamp(0)
        if (last !== undefined) named.set(last.producer, last.confirmed)
        for (const [producer, confirmed] of ended) expect(named.get(producer)).toBe(confirmed)
      }),
      { numRuns: 500 },
    )
  })
})
