import { clickLimits } from '@clicktally/contract/click-event.ts'
import fc from 'fast-check'
import type { FastifyRequest } from 'fastify'
import { expect, test } from 'vitest'
import { batchOf, checkBatchEvent } from '../request-batch.ts'

const now = Date.now()
const receipt = {
  projectId: 1,
  requestId: 'r',
  receivedAtMs: now,
  startedAtMs: now,
  windowMs: undefined,
  makeId: () => 'made',
}

test('an event of a batch is too large when its JSON is, whatever its texts are made of', () => {
  // Of one byte, of two, of three, and of six when written as JSON.
  const text = (chars: number) =>
    fc
      .tuple(fc.constantFrom('a', '"', 'ä', '本', '\u{1}'), fc.integer({ min: 1, max: chars }))
      .map(([char, length]) => char.repeat(length))
  const event = fc.record({
    target: text(clickLimits.targetChars),
    occurredAt: fc.constant('2026-11-21T10:15:30.250Z'),
    url: text(clickLimits.urlChars),
    referrer: text(clickLimits.urlChars),
    props: fc
      .tuple(
        fc.integer({ min: 0, max: clickLimits.propKeys }),
        fc.oneof(text(clickLimits.propValueChars), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean()),
      )
      .map(([count, value]) => Object.fromEntries(Array.from({ length: count }, (_, key) => [`k${key}`, value]))),
  })
  const seen = { fits: 0, tooLarge: 0 }
  fc.assert(
    fc.property(event, (value) => {
      // With a neighbour that makes the body large enough for any event to be measured.
      const body = JSON.stringify({ events: [value, { target: 'a'.repeat(clickLimits.eventBytes) }] })
      const [first] = batchOf({ body, headers: { 'content-type': 'application/json' } } as FastifyRequest)
      if (first === undefined) throw new Error('the batch has no event')
      const checked = checkBatchEvent(first, receipt, 0)
      const tooLarge = Buffer.byteLength(JSON.stringify(value)) > clickLimits.eventBytes
      seen[tooLarge ? 'tooLarge' : 'fits'] += 1
      expect('code' in checked ? checked.code : 'taken').toBe(tooLarge ? 'event_too_large' : 'taken')
    }),
    { numRuns: 500 },
  )
  expect(Math.min(seen.fits, seen.tooLarge)).toBeGreaterThan(20)
})
