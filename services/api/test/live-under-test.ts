import { liveTopology } from '@clicktally/broker/live-topology.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { encodeLiveMessages, type LiveClick, liveMessageType } from '@clicktally/message/live-message.ts'
import { openEventStream } from '@clicktally/testing/event-stream.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestBroker, type TestBroker } from '@clicktally/testing/test-broker.ts'
import { pino } from 'pino'
import { expect, onTestFinished, vi } from 'vitest'
import { LiveStream } from '../live/live-stream.ts'
import type { LiveViewersOptions } from '../live/live-viewers.ts'
import { createApi, keys } from './api-under-test.ts'

export function createLiveClick(overrides: Partial<LiveClick> = {}): LiveClick {
  const now = Date.now()
  return { id: randomUuidV7(now), projectId: 1, target: 'button', occurredAtMs: now, bot: false, ...overrides }
}

/** Publishes as a processor does. */
export async function publishLive({ channel }: TestBroker, clicks: readonly LiveClick[], hasGap = false) {
  for (const { body } of encodeLiveMessages(clicks, copyId, Date.now(), hasGap)) {
    channel.publish(liveTopology.exchange, '', body, { type: liveMessageType, mandatory: true })
  }
  await channel.waitForConfirms()
}

function copyId({ id }: LiveClick, into: Buffer, at: number): void {
  into.write(id.replaceAll('-', ''), at, 'hex')
}

/** An api that listens and reads the stream of this broker. */
export async function createLiveApi(broker: TestBroker, options: Partial<LiveViewersOptions> = {}) {
  let stream: LiveStream | undefined
  const api = await createApi({ isConnected: () => stream?.isOpen === true, ...options })
  stream = new LiveStream({
    brokerUrl: await broker.urlAs('api'),
    logger: pino({ level: 'silent' }),
    onEntry: (entry) => api.viewers.add(entry),
  })
  onTestFinished(() => stream?.close())
  stream.start()
  await vi.waitFor(() => expect(stream?.isOpen).toBe(true), patience)
  const baseUrl = await api.app.listen({ host: '127.0.0.1', port: 0 })
  return {
    ...api,
    baseUrl,
    /** Opens the stream with the read key, unless another is given. */
    async watch(query = '', headers: Record<string, string> = {}, key: string = keys.read.text) {
      const live = await openEventStream(`${baseUrl}/v1/live${query}`, { authorization: `Bearer ${key}`, ...headers })
      onTestFinished(() => live.close())
      return live
    },
  }
}

/** A broker and an api that reads its live clicks. */
export async function createLiveBench(options: Partial<LiveViewersOptions> = {}) {
  const broker = await createTestBroker()
  return { broker, ...(await createLiveApi(broker, options)) }
}
