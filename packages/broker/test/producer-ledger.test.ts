import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type LedgerStamp, type PreviousProducer, readStamp, stampHeaders } from '@clicktally/message/ledger-stamp.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProducerLedger } from '../producer-ledger.ts'

type Outcome = 'confirmed' | 'refused'

function settle(ledger: ProducerLedger, outcome: Outcome, sequence: number): void {
  if (outcome === 'confirmed') ledger.confirmed(sequence)
  else ledger.refused(sequence)
}

describe('the ledger of a connection', () => {
  test('numbers its messages, and reports the outcomes of those before', () => {
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

  test('does not report messages that have overtaken one without an outcome', () => {
    const ledger = new ProducerLedger()
    for (let message = 1; message <= 4; message += 1) ledger.stamp(10 ** message)
    for (const sequence of [4, 2]) ledger.confirmed(sequence)
    expect(ledger.stamp(0)).toMatchObject({ settled: 0, confirmed: 0 })
    ledger.confirmed(1)
    expect(ledger.stamp(0)).toMatchObject({ settled: 2, confirmed: 110 })
    ledger.refused(3)
    expect(ledger.stamp(0)).toMatchObject({ settled: 4, confirmed: 10_110 })
  })

  test('keeps the first outcome of a message, and ignores one of a message that was never sent', () => {
    const ledger = new ProducerLedger()
    ledger.stamp(3)
    ledger.confirmed(1)
    ledger.refused(1)
    ledger.confirmed(1)
    ledger.confirmed(2)
    expect(ledger.stamp(0)).toMatchObject({ sequence: 2, settled: 1, confirmed: 3 })
  })

  test('has its own producer id', () => {
    expect(new ProducerLedger().producer).not.toBe(new ProducerLedger().producer)
  })

  test('makes stamps that survive the headers unchanged', () => {
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

  test('keeps no memory of messages that overtake a late one', () => {
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

describe('unreported confirms', () => {
  test('are confirmed clicks, until a stamp reports them', () => {
    const ledger = new ProducerLedger()
    expect(ledger.hasUnreportedConfirms).toBe(false)
    ledger.stamp(5)
    expect(ledger.hasUnreportedConfirms).toBe(false)
    ledger.confirmed(1)
    expect(ledger.hasUnreportedConfirms).toBe(true)
    ledger.stamp(0)
    expect(ledger.hasUnreportedConfirms).toBe(false)
  })

  test('do not include the confirm of a report', () => {
    const ledger = new ProducerLedger()
    ledger.stamp(5)
    ledger.confirmed(1)
    ledger.stamp(0)
    ledger.confirmed(2)
    expect(ledger.hasUnreportedConfirms).toBe(false)
  })

  test('are unreported again when the message that reported them is refused', () => {
    const ledger = new ProducerLedger()
    ledger.stamp(5)
    ledger.confirmed(1)
    ledger.stamp(0)
    ledger.refused(2)
    expect(ledger.hasUnreportedConfirms).toBe(true)
    ledger.stamp(0)
    ledger.stamp(0)
    ledger.refused(3)
    expect(ledger.hasUnreportedConfirms).toBe(false)
    ledger.confirmed(4)
    expect(ledger.hasUnreportedConfirms).toBe(false)
  })

  test('are reported by a confirmed message although one before it is confirmed later', () => {
    const ledger = new ProducerLedger()
    for (const clicks of [5, 0, 0]) ledger.stamp(clicks)
    ledger.confirmed(1)
    ledger.stamp(0)
    for (const sequence of [4, 2]) ledger.confirmed(sequence)
    ledger.refused(3)
    expect(ledger.hasUnreportedConfirms).toBe(false)
  })

  test('include the end of the previous connection', () => {
    const ledger = new ProducerLedger(new ProducerLedger().close())
    expect(ledger.hasUnreportedConfirms).toBe(true)
    ledger.stamp(0)
    expect(ledger.hasUnreportedConfirms).toBe(false)
    ledger.refused(1)
    expect(ledger.hasUnreportedConfirms).toBe(true)
  })
})

describe('the end of a connection', () => {
  test('leaves pending messages of unknown outcome, and ignores later outcomes', () => {
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

  test('is reported by every message of the next', () => {
    const end = new ProducerLedger().close()
    const next = new ProducerLedger(end)
    expect([next.stamp(1), next.stamp(0)].map(({ previous }) => previous)).toEqual([end, end])
  })

  test('is passed on to the connection after the next when no message of the next was confirmed', () => {
    const end = new ProducerLedger().close()
    const next = new ProducerLedger(end)
    next.stamp(4)
    next.stamp(4)
    next.refused(1)
    expect(next.close()).toBe(end)
  })
})

describe('for any outcomes of messages and connections', () => {
  interface Sent {
    readonly stamp: LedgerStamp
    outcome?: Outcome
  }
  const clicksOf = (messages: readonly Sent[]) =>
    messages.filter(({ outcome }) => outcome === 'confirmed').reduce((sum, { stamp }) => sum + stamp.clicks, 0)

  /** The expected state of a ledger, computed from the list of its messages. */
  function model(sent: readonly Sent[], previous: PreviousProducer | undefined, producer: string) {
    const open = sent.findIndex(({ outcome }) => outcome === undefined)
    const settled = open === -1 ? sent.length : open
    const confirmed = clicksOf(sent.slice(0, settled))
    const reported = sent.filter(({ outcome }) => outcome !== 'refused').map(({ stamp }) => stamp.confirmed)
    const hasUnreportedConfirms = reported.length === 0 ? previous !== undefined : Math.max(...reported) < confirmed
    const unknown = sent.filter(({ outcome }) => outcome === undefined).map(({ stamp }) => stamp.sequence)
    const end = { producer, confirmed: clicksOf(sent), unknown }
    return {
      settled,
      confirmed,
      hasUnreportedConfirms,
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

  test('each stamp is right, and every connection with clicks is named by a later one', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        let previous: PreviousProducer | undefined
        let ledger = new ProducerLedger()
        let sent: Sent[] = []
        const ended = new Map<string, number>()
        const named = new Map<string, number>()
        const expectModel = () => {
          const { hasUnreportedConfirms } = model(sent, previous, ledger.producer)
          expect(ledger.hasUnreportedConfirms).toBe(hasUnreportedConfirms)
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
            // Also for messages that already have an outcome, and for some that were never sent.
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
        // A last connection whose one message arrives: nothing is unreported then.
        const { previous: last } = ledger.stamp(0)
        if (last !== undefined) named.set(last.producer, last.confirmed)
        for (const [producer, confirmed] of ended) expect(named.get(producer)).toBe(confirmed)
      }),
      { numRuns: 500 },
    )
  })
})
