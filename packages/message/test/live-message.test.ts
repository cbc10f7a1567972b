import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeLiveMessage, encodeLiveMessages, type LiveClick, liveMessageType } from '../live-message.ts'

function copyId({ id }: LiveClick, into: Buffer, at: number): void {
  into.write(id.replaceAll('-', ''), at, 'hex')
}

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
      const bodies = [...encodeLiveMessages(clicks, copyId, 1_000, hasGap)]
      const messages = bodies.map(({ body }) => decodeLiveMessage(liveMessageType, body))
      expect(messages.flatMap((message) => message.clicks)).toEqual(clicks)
      expect(bodies.map((each) => each.clicks)).toEqual(messages.map((message) => message.clicks.length))
      expect(messages.map((message) => message.hasGap)).toEqual(messages.map((_, index) => index === 0 && hasGap))
      expect(Math.max(...bodies.map(({ body }) => body.length))).toBeLessThan(131_072)
    }),
    { numRuns: 30 },
  )
})

const [whole] = encodeLiveMessages(
  [{ id: '01900000-0000-7000-8000-000000000000', projectId: 1, target: 'button', occurredAtMs: 1, bot: false }],
  copyId,
  1_000,
  false,
)

test.each([
  ['another type', 'clicks.v1', whole?.body],
  ['an empty body', liveMessageType, Buffer.alloc(0)],
  ['a click that is cut off', liveMessageType, whole?.body.subarray(0, -1)],
  ['a click that is cut off before its target', liveMessageType, whole?.body.subarray(0, 30)],
])('%s is refused', (_what, type, body = Buffer.alloc(0)) => {
  expect(() => decodeLiveMessage(type, body)).toThrow()
})
