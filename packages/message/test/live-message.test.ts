import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeLiveMessage, encodeLiveMessages, type LiveClick, liveMessageType } from '../live-message.ts'

const click: fc.Arbitrary<LiveClick> = fc.record({
  id: fc.uuid({ version: 7 }),
  projectId: fc.integer({ min: 1, max: 2_147_483_647 }),
  target: fc.string({ unit: 'binary', minLength: 1, maxLength: 256 }),
  occurredAtMs: fc.integer({ min: 0, max: 253_402_300_799_999 }),
  bot: fc.boolean(),
})

test('every click arrives once and in order, in messages that the broker takes; only the first says that some may be missing', () => {
  fc.assert(
    fc.property(fc.array(click, { maxLength: 1_500, size: 'max' }), fc.boolean(), (clicks, hasGap) => {
      const bodies = [...encodeLiveMessages(clicks, 1_000, hasGap)]
      const messages = bodies.map(({ body }) => decodeLiveMessage(liveMessageType, Buffer.from(body)))
      expect(messages.flatMap((message) => message.clicks)).toEqual(clicks)
      expect(bodies.map((each) => each.clicks)).toEqual(messages.map((message) => message.clicks.length))
      expect(messages.map((message) => message.hasGap)).toEqual(messages.map((_, index) => index === 0 && hasGap))
      expect(Math.max(...bodies.map(({ body }) => Buffer.byteLength(body)))).toBeLessThan(131_072)
    }),
    { numRuns: 30 },
  )
})

test.each([
  ['another type', 'clicks.v1', '{"sentAtMs":1,"hasGap":false,"clicks":[]}'],
  ['no JSON', liveMessageType, '{'],
  ['a click without a target', liveMessageType, '{"sentAtMs":1,"hasGap":false,"clicks":[["id",1]]}'],
])('%s is refused', (_what, type, body) => {
  expect(() => decodeLiveMessage(type, Buffer.from(body))).toThrow()
})
