import { ProducerLedger } from '@clicktally/broker/producer-ledger.ts'
import { topology } from '@clicktally/broker/topology.ts'
import { type Balance, readBalance } from '@clicktally/database/balance.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { type Click, defaultProjectId } from '@clicktally/event/click.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { clicksMessageType, encodeClick } from '@clicktally/message/clicks-message.ts'
import { type LedgerStamp, stampHeaders } from '@clicktally/message/ledger-stamp.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestBroker, type TestBroker } from '@clicktally/testing/test-broker.ts'
import { createTestDatabase, type TestDatabase } from '@clicktally/testing/test-database.ts'
import type { ConsumeMessage } from 'amqplib'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, onTestFinished, vi } from 'vitest'
import { ProcessingMetrics } from '../processing-metrics.ts'
import { BatchWriter } from '../queue/batch-writer.ts'
import { ClickConsumer } from '../queue/click-consumer.ts'
import { persist } from '../queue/failure-policy.ts'
import { TopologyKeeper } from '../queue/topology-keeper.ts'
import { BinaryCopy } from '../rows/binary-copy.ts'
import type { ClickRow } from '../rows/click-row.ts'
import { type ConsumedMessage, readClicks } from '../rows/consumed-message.ts'
import { ClickStore } from '../store/click-store.ts'

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

/** A message with these clicks, as the broker delivers it. */
export function consumedMessage(stamp: LedgerStamp, clicks: readonly Click[]): ConsumedMessage {
  const properties = { type: clicksMessageType, headers: stampHeaders(stamp) }
  const content = Buffer.from(clicks.map(encodeClick).join('\n'))
  return readClicks({ properties, content } as unknown as ConsumeMessage, new BinaryCopy())
}

/** Queries as the owner, who sees everything. */
export type Ask = <Row extends object>(text: string, values?: unknown[]) => Promise<Row[]>

export interface Bench {
  readonly broker: TestBroker
  readonly database: TestDatabase
  readonly ask: Ask
  /** Raw clicks stored, and the sum of all counters: equal, or something is counted twice or not at all. */
  tally(): Promise<{ stored: number; counted: number }>
  /** As ingest does it: a message with its stamp. */
  send(...clicks: Click[]): Promise<void>
  /** As somebody does it by hand. */
  sendRaw(content: string, options?: { type?: string; headers?: Record<string, unknown> }): Promise<void>
  deadLetters(): Promise<{ content: string; reason: string; type: string | null; clicks: number }[]>
  balance(): Promise<Balance>
  /** Waits until every processor says that all that was sent is written and acknowledged. */
  untilProcessed(): Promise<void>
  startProcessor(options?: {
    prefetch?: number
    maxClicks?: number
    holdWhileAwayMs?: number
    databaseUrl?: string
    onCounted?: (clicks: readonly ClickRow[]) => void
    onReturned?: () => void
  }): Promise<ClickConsumer>
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
  const ledger = new ProducerLedger()
  const db = createDatabase(owner)

  const sendRaw: Bench['sendRaw'] = async (content, { type = clicksMessageType, headers = {} } = {}) => {
    broker.channel.publish(topology.exchange, topology.routingKey, Buffer.from(content), {
      type,
      headers,
      persistent: true,
      mandatory: true,
    })
    await broker.channel.waitForConfirms()
  }
  return {
    broker,
    database,
    ask,
    sendRaw,
    async send(...clicks) {
      const stamp = ledger.stamp(clicks.length)
      await sendRaw(clicks.map(encodeClick).join('\n'), { headers: stampHeaders(stamp) })
      ledger.confirmed(stamp.sequence)
    },
    balance: () => readBalance(db),
    async tally() {
      const [row] = await ask<{ stored: number; counted: number }>(
        `select (select count(*)::int from clicks) as stored, (select coalesce(sum(total + bots), 0)::int from counters) as counted`,
      )
      return row ?? { stored: -1, counted: -1 }
    },
    async deadLetters() {
      return await ask(
        `select convert_from(content, 'UTF8') as content, reason, type, clicks from dead_letters order by id`,
      )
    },
    async untilProcessed() {
      await vi.waitFor(async () => {
        for (const processor of processors) {
          // What was assigned to it before the queue was seen empty has arrived when the look ends.
          expect(await processor.look(true)).toMatchObject({ isFenced: true, isEmpty: true })
          expect(processor.unackedMessages).toBe(0)
        }
      }, patience)
    },
    async startProcessor(options = {}) {
      const {
        prefetch = 100,
        maxClicks = 1_000,
        holdWhileAwayMs = 15_000,
        databaseUrl,
        onCounted,
        onReturned,
      } = options
      const pool = createPool({
        url: databaseUrl ?? database.processorUrl,
        name: 'test',
        logger,
        maxConnections: 2,
        statementTimeoutMs: 2_000,
      })
      const metrics = new ProcessingMetrics(new Registry())
      const store = new ClickStore(pool, onCounted && { onCounted })
      const writer = new BatchWriter({ store, metrics, logger, holdWhileAwayMs })
      const ping = async () => void (await pool.query('select'))
      const untilReady = (_: string, gone: AbortSignal) => persist(ping, gone, logger)
      const brokerUrl = await broker.urlAs('processor')
      const consuming = {
        brokerUrl,
        logger,
        writer,
        untilReady,
        maxClicks,
        flushAfterMs: 10,
        ...(onReturned && { onReturned }),
      }
      const consumer = new ClickConsumer({ ...consuming, queue: topology.queue, prefetch })
      const suspect = new ClickConsumer({ ...consuming, queue: topology.suspectQueue, prefetch: 1 })
      const dead = new ClickConsumer({ ...consuming, queue: topology.deadQueue, prefetch: 10 })
      for (const each of [consumer, suspect, dead]) processors.add(each)
      onTestFinished(async () => {
        await Promise.all([consumer, suspect, dead].map((each) => each.close()))
        await pool.end()
      })
      const topologyKeeper = new TopologyKeeper({ brokerUrl, logger })
      onTestFinished(() => topologyKeeper.close())
      topologyKeeper.start()
      for (const each of [suspect, dead, consumer]) each.start()
      return consumer
    },
  }
}
