import { clickLimits } from '@clicktally/event/click-event.ts'
import { maxCharsOf } from '@clicktally/event/event-fields.ts'
import fc from 'fast-check'
import type { FastifyRequest } from 'fastify'
import { expect, test } from 'vitest'
import { batchOf, checkBatchEvent } from '../request/request-batch.ts'

const now = Date.now()
const receipt = {
  projectId: 1,
  requestId: 'r',
  receivedAtMs: now,
  startedAtMs: now,
  windowMs: undefined,
  makeId: () => 'made',
}

test('an event of a batch is too large when its JSON is, for any characters', () => {
  // Characters of one, two and three bytes, and one of six bytes in JSON.
  const text = (chars: number) =>
    fc
      .tuple(fc.constantFrom('a', '"', 'ä', '本', '\u{1}'), fc.integer({ min: 1, max: chars }))
      .map(([char, length]) => char.repeat(length))
  const event = fc.record({
    target: text(maxCharsOf('target')),
    occurredAt: fc.constant('2026-11-21T10:15:30.250Z'),
    url: text(maxCharsOf('url')),
    referrer: text(maxCharsOf('url')),
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
      // The second event makes the body large enough for every event to be measured.
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
