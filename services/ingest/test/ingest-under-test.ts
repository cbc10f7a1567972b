import { createHash } from 'node:crypto'
import { topology } from '@clicktally/broker/topology.ts'
import type { Click } from '@clicktally/event/click.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { KeyRing } from '@clicktally/keys/key-ring.ts'
import type { KeySnapshot } from '@clicktally/keys/key-snapshot.ts'
import { makeKey } from '@clicktally/keys/key-text.ts'
import { keyRoles } from '@clicktally/keys/roles.ts'
import { decodeMessage } from '@clicktally/message/clicks-message.ts'
import { type LedgerStamp, readStamp } from '@clicktally/message/ledger-stamp.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestBroker, type TestBroker } from '@clicktally/testing/test-broker.ts'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, onTestFinished, vi } from 'vitest'
import { DerivedVisitors } from '../access/derived-visitors.ts'
import { SenderAccess } from '../access/sender-access.ts'
import { createApp } from '../app.ts'
import { RequestAttributes } from '../attributes/request-attributes.ts'
import { ClickMetrics } from '../click-metrics.ts'
import { CellPublishers } from '../publishing/cell-publishers.ts'
import { ClickPublisher, type ClickPublisherOptions } from '../publishing/click-publisher.ts'

export const windowMs = 72 * 3_600_000

/** A key of each role, for the project 1; the write key may be used from this page. */
export const keys = {
  write: makeKey('write'),
  secret: makeKey('secret'),
  read: makeKey('read'),
  auditor: makeKey('auditor'),
  owner: makeKey('owner'),
}
export const pageOrigin = 'https://shop.example'

export function snapshotOfKeys(changes: Partial<KeySnapshot> = {}): KeySnapshot {
  return {
    version: 1,
    publishedAtMs: Date.now(),
    projects: [{ id: 1, name: 'default', derivesVisitors: true }],
    keys: keyRoles.map((role) => ({
      ...{
        id: keys[role].id,
        hash: keys[role].hash,
        role,
        projectId: 1,
        origins: role === 'write' ? [pageOrigin] : [],
      },
    })),
    visitorSalts: {},
    ...changes,
  }
}

export interface Ingest {
  readonly app: HttpApp
  readonly publisher: ClickPublisher
  readonly ring: KeyRing
  /** Resolves when clicks are taken. */
  ready(): Promise<void>
}

function filledRing(): KeyRing {
  const ring = new KeyRing()
  ring.replace(snapshotOfKeys())
  return ring
}

/** Creates the service as main.ts does, and closes it when the test ends. It does not listen until the test calls listen. */
export function createIngest(
  brokerUrl: string,
  limits: Partial<ClickPublisherOptions> = {},
  ring: KeyRing = filledRing(),
  attributes = new RequestAttributes(),
): Ingest {
  const logger = pino({ level: 'silent' })
  const registry = new Registry()
  const metrics = new ClickMetrics(registry)
  const publisher = new ClickPublisher({
    brokerUrl,
    logger,
    // Longer than a busy machine takes: only tests about the deadline reach it, and they set their own.
    confirmWithinMs: 60_000,
    maxHeldClicks: 50_000,
    maxHeldBytes: 33_554_432,
    // Tests count messages: only those about probes have any.
    probeEveryMs: 3_600_000,
    onConfirmed: (clicks, seconds) => metrics.confirmed(clicks, seconds),
    ...limits,
  })
  const publishers = new CellPublishers(publisher, new Map(), ring)
  const access = new SenderAccess(ring, false)
  metrics.watch(publishers.all, access, registry)
  const visitors = new DerivedVisitors(ring)
  const app = createApp({ publisher: publishers, metrics, access, visitors, attributes, windowMs }, logger, registry)
  onTestFinished(async () => {
    await app.close()
    await publisher.close()
  })
  publisher.start()
  return { app, publisher, ring, ready: () => vi.waitFor(() => expect(publisher.isReady).toBe(true), patience) }
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
  // biome-ignore lint/suspicious/noExplicitAny: the tests assert the types of the body
  readonly body: any
}

type Headers = Record<string, string>

/** Posts a body with the secret key. Objects are sent as JSON, other bodies unchanged. */
export async function post(app: HttpApp, url: string, body: unknown, headers: Headers = {}): Promise<Answer> {
  const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  const response = await app.inject({
    method: 'POST',
    url,
    payload,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${keys.secret.text}`, ...headers },
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
      expect({ type: message.properties.type, bytes: message.content.length }).toEqual({ type: 'clicks.v2', bytes: 0 })
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
