import { isUuidV7, timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { decodeMessage } from '@clicktally/message/clicks-message.ts'
import { clicksMessageType } from '@clicktally/message/message-type.ts'
import { describe, expect, it } from 'vitest'
import {
  clicksIn,
  clicksPerMessage,
  makeClicks,
  messagesOf,
  type QueueMessage,
  withRepeats,
} from '../click-messages.ts'

const range = { clicks: 30_000, seed: 1, fromMs: Date.UTC(2026, 10, 1), toMs: Date.UTC(2026, 10, 2) }

const decoded = ({ content }: QueueMessage) => decodeMessage(clicksMessageType, content)
const idsIn = (messages: readonly QueueMessage[]) =>
  messages.flatMap((message) => decoded(message).clicks.map(({ id }) => id))

describe('messages for the queue', () => {
  it('hold clicks that a processor can read, in chronological order', () => {
    const messages = [...messagesOf(makeClicks(range))]
    expect(clicksIn(messages)).toBe(range.clicks)
    expect(messages.flatMap((message) => decoded(message).undecodable)).toEqual([])
    const times = messages.flatMap((message) => decoded(message).clicks.map(({ occurredAtMs }) => occurredAtMs))
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(times[0]).toBe(range.fromMs)
    expect(times.at(-1)).toBeLessThan(range.toMs)
  })

  it('hold as many clicks as a group of ingest under load', () => {
    const messages = [...messagesOf(makeClicks({ ...range, clicks: 450 }))]
    expect(messages.map(({ clicks }) => clicks)).toEqual([clicksPerMessage, clicksPerMessage, 50])
  })

  it('hold clicks with distinct ids, each a UUIDv7 of its time', () => {
    const clicks = [...makeClicks({ ...range, clicks: 10_000 })]
    expect(new Set(clicks.map(({ id }) => id)).size).toBe(10_000)
    for (const { id, occurredAtMs } of clicks) {
      expect(isUuidV7(id)).toBe(true)
      expect(timeOfUuidV7(id)).toBe(occurredAtMs)
    }
  })

  it('are equal for equal seeds', () => {
    const contents = () =>
      [...makeClicks({ ...range, clicks: 1_000 })].map(({ target, visitorId }) => [target, visitorId])
    expect(contents()).toEqual(contents())
  })

  it('repeat the requested share of clicks, each once and in another message', () => {
    const messages = [...withRepeats([...messagesOf(makeClicks({ ...range, clicks: 14_000 }))], 0.3)]
    const ids = idsIn(messages)
    // Each block is rounded.
    expect(Math.abs(ids.length - 20_000)).toBeLessThan(3)
    expect(new Set(ids).size).toBe(14_000)
    for (const message of messages) expect(new Set(idsIn([message])).size).toBe(message.clicks)
  })
})
