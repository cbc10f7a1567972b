import { createHash } from 'node:crypto'
import { topology } from '@clicktally/broker/topology.ts'
import type { Click } from '@clicktally/contract/click.ts'
import { decodeMessage } from '@clicktally/contract/clicks-message.ts'
import { type LedgerStamp, readStamp } from '@clicktally/contract/ledger-stamp.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { createTestBroker, type TestBroker } from '@clicktally/testing/test-broker.ts'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, onTestFinished, vi } from 'vitest'
import { createApp } from '../app.ts'
import { ClickFigures } from '../click-figures.ts'
import { ClickPublisher, type ClickPublisherOptions } from '../click-publisher.ts'

export const patience = { timeout: 120_000, interval: 50 }
export const windowMs = 72 * 3_600_000

export interface Ingest {
  readonly app: HttpApp
  readonly publisher: ClickPublisher
  /** Resolves when clicks are taken. */
  ready(): Promise<void>
}

/** The service as main.ts builds it, closed when the test is over. Nothing listens until the test says so. */
export function createIngest(brokerUrl: string, limits: Partial<ClickPublisherOptions> = {}): Ingest {
  const logger = pino({ level: 'silent' })
  const registry = new Registry()
  const figures = new ClickFigures(registry)
  const publisher = new ClickPublisher({
    brokerUrl,
    logger,
    // Longer than a busy machine takes: only tests about the deadline reach it, and they set their own.
    confirmWithinMs: 60_000,
    maxHeldClicks: 50_000,
    maxHeldBytes: 33_554_432,
    // Tests count messages: only those about probes have any.
    probeEveryMs: 3_600_000,
    onConfirmed: (clicks, seconds) => figures.confirmed(clicks, seconds),
    ...limits,
  })
  figures.watch(publisher, registry)
  const app = createApp({ publisher, figures, windowMs }, logger, registry)
  onTestFinished(async () => {
    await app.close()
    await publisher.close()
  })
  publisher.start()
  return { app, publisher, ready: () => vi.waitFor(() => expect(publisher.isReady).toBe(true), patience) }
}

/** A broker, and an ingest that takes clicks. */
export async function createBench(
  limits: Partial<ClickPublisherOptions> = {},
): Promise<Ingest & { broker: TestBroker }> {
  const broker = await createTestBroker()
  const ingest = createIngest(await broker.urlAs('ingest'), limits)
  await ingest.ready()
  return { ...ingest, broker }
}

export interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | number | undefined>
  // biome-ignore lint/suspicious/noExplicitAny: an answer is what the test says it is
  readonly body: any
}

type Headers = Record<string, string>

/** Posts a body as it is; an object as JSON. */
export async function post(app: HttpApp, url: string, body: unknown, headers: Headers = {}): Promise<Answer> {
  const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  const response = await app.inject({
    method: 'POST',
    url,
    payload,
    headers: { 'content-type': 'application/json', ...headers },
  })
  return { status: response.statusCode, headers: response.headers, body: response.json() }
}

export interface Drained {
  readonly clicks: Click[]
  /** How many messages have brought them. */
  messages: number
  /** The stamps of all messages, also of those that only report to the ledger. */
  readonly stamps: LedgerStamp[]
}

/** Takes every message out of the queue. */
export async function drain(broker: TestBroker): Promise<Drained> {
  const drained: Drained = { clicks: [], messages: 0, stamps: [] }
  for (;;) {
    const message = await broker.channel.get(topology.queue, { noAck: true })
    if (message === false) return drained
    const stamp = readStamp(message.properties.headers)
    if (stamp === undefined) throw new Error('a message has no stamp')
    drained.stamps.push(stamp)
    if (stamp.clicks === 0) {
      expect({ type: message.properties.type, bytes: message.content.length }).toEqual({ type: 'clicks.v1', bytes: 0 })
      continue
    }
    const decoded = decodeMessage(message.properties.type, message.content)
    expect(decoded.undecodable).toEqual([])
    expect(decoded.clicks).toHaveLength(stamp.clicks)
    drained.clicks.push(...decoded.clicks)
    drained.messages += 1
  }
}

/** Bytes that gzip can't make small. */
export function noise(bytes: number): string {
  let text = ''
  for (let block = 0; text.length < bytes; block += 1) text += createHash('sha512').update(String(block)).digest('hex')
  return text.slice(0, bytes)
}

export function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer.body).toMatchObject({ status, code })
  expect(answer.status).toBe(status)
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(answer.body).toMatchObject({
    type: `urn:clicktally:problem:${code}`,
    title: expect.stringMatching(/./),
    detail: expect.stringMatching(/./),
    retryable: [408, 429, 500, 503].includes(status),
  })
  if (status === 503) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
  else expect(answer.headers['retry-after']).toBeUndefined()
}
