import { topology } from '@clicktally/broker/topology.ts'
import { type Click, defaultProjectId } from '@clicktally/contract/click.ts'
import { clicksMessageType, encodeClick } from '@clicktally/contract/clicks-message.ts'
import { randomUuidV7 } from '@clicktally/contract/uuid-v7.ts'
import { createPool } from '@clicktally/database/connection.ts'
import { createTestBroker, type TestBroker } from '@clicktally/testing/test-broker.ts'
import { createTestDatabase } from '@clicktally/testing/test-database.ts'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, onTestFinished, vi } from 'vitest'
import { BatchWriter } from '../batch-writer.ts'
import { ClickConsumer } from '../click-consumer.ts'
import { ClickStore } from '../click-store.ts'
import { DeadLetters } from '../dead-letters.ts'
import { ProcessingFigures } from '../processing-figures.ts'

const logger = pino({ level: 'silent' })

export function createClick(overrides: Partial<Click> = {}): Click {
  const now = Date.now()
  return {
    id: randomUuidV7(now),
    projectId: defaultProjectId,
    target: 'button',
    occurredAtMs: now,
    receivedAtMs: now,
    requestId: 'request-1',
    ...overrides,
  }
}

/** Queries as the owner, who sees everything. */
export type Ask = <Row extends object>(text: string, values?: unknown[]) => Promise<Row[]>

export interface Bench {
  readonly broker: TestBroker
  readonly database: { readonly processorUrl: string; readonly ownerUrl: string }
  readonly ask: Ask
  /** Raw clicks stored, and the sum of all counters: equal, or something is counted twice or not at all. */
  tally(): Promise<{ stored: number; counted: number }>
  send(...clicks: Click[]): Promise<void>
  sendRaw(content: string, type?: string): Promise<void>
  deadLetters(): Promise<{ content: string; reason: unknown; type: unknown }[]>
  /** Waits until every processor says that all that was sent is written and acknowledged. */
  untilProcessed(): Promise<void>
  startProcessor(options?: { prefetch?: number; maxClicks?: number }): Promise<ClickConsumer>
}

/** A broker, a database, and processors between them as main.ts builds them. */
export async function createBench(): Promise<Bench> {
  const broker = await createTestBroker()
  const database = await createTestDatabase()
  const owner = createPool({
    url: database.ownerUrl,
    name: 'test',
    logger,
    maxConnections: 2,
    statementTimeoutMs: 10_000,
  })
  onTestFinished(() => owner.end())
  const ask: Ask = async (text, values) => (await owner.query(text, values)).rows

  const processors = new Set<ClickConsumer>()
  let lastSentMs = 0

  const sendRaw = async (content: string, type: string = clicksMessageType) => {
    broker.channel.publish(topology.exchange, topology.routingKey, Buffer.from(content), {
      type,
      persistent: true,
      mandatory: true,
    })
    await broker.channel.waitForConfirms()
    lastSentMs = Date.now()
  }
  return {
    broker,
    database,
    ask,
    sendRaw,
    send: (...clicks) => sendRaw(clicks.map(encodeClick).join('\n')),
    async tally() {
      const [row] = await ask<{ stored: number; counted: number }>(
        `select (select count(*)::int from clicks) as stored, (select coalesce(sum(total + bots), 0)::int from counters) as counted`,
      )
      return row ?? { stored: -1, counted: -1 }
    },
    async deadLetters() {
      const found: { content: string; reason: unknown; type: unknown }[] = []
      for (;;) {
        const message = await broker.channel.get(topology.deadQueue, { noAck: true })
        if (message === false) return found
        found.push({
          content: message.content.toString(),
          reason: message.properties.headers?.reason,
          type: message.properties.type,
        })
      }
    },
    async untilProcessed() {
      await vi.waitFor(
        async () => {
          for (const processor of processors) expect(await processor.progressMs()).toBeGreaterThan(lastSentMs)
        },
        { timeout: 30_000, interval: 20 },
      )
    },
    async startProcessor({ prefetch = 100, maxClicks = 1_000 } = {}) {
      const pool = createPool({
        url: database.processorUrl,
        name: 'test',
        logger,
        maxConnections: 2,
        statementTimeoutMs: 2_000,
      })
      const deadLetters = new DeadLetters(broker.url, logger)
      const writer = new BatchWriter({
        store: new ClickStore(pool),
        deadLetters,
        figures: new ProcessingFigures(new Registry()),
        logger,
      })
      const consumer = new ClickConsumer({
        brokerUrl: broker.url,
        logger,
        writer,
        prefetch,
        maxClicks,
        flushAfterMs: 10,
      })
      processors.add(consumer)
      onTestFinished(async () => {
        await consumer.close()
        await deadLetters.close()
        await pool.end()
      })
      deadLetters.start()
      consumer.start()
      return consumer
    },
  }
}
