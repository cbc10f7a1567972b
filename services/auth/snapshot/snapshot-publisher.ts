import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { assertKeysTopology, deleteOutdatedStream, keysTopology } from '@clicktally/broker/keys-topology.ts'
import { readKeySnapshot } from '@clicktally/database/key-snapshot.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { encodeKeySnapshot, type KeySnapshot, keySnapshotType } from '@clicktally/keys/key-snapshot.ts'
import type { ConfirmChannel } from 'amqplib'
import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import { renewVisitorSalts, withoutOldSalts } from './visitor-salts.ts'

export interface SnapshotPublisherOptions {
  readonly db: Kysely<Tables>
  readonly brokerUrl: string
  readonly logger: Logger
  /** The interval in milliseconds at which snapshots are published without a change. */
  readonly publishEveryMs: number
}

/**
 * Publishes key snapshots to the stream that every ingest reads: after each change, after each connect and at a fixed interval.
 * While PostgreSQL is down it publishes the last snapshot that it read, so that an ingest that starts in that time gets one.
 */
export class SnapshotPublisher {
  readonly #options: SnapshotPublisherOptions
  readonly #link: BrokerLink
  #channel: ConfirmChannel | undefined
  #newest: KeySnapshot | undefined
  #publishedAtMs: number | undefined
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #isStale = false

  constructor(options: SnapshotPublisherOptions) {
    this.#options = options
    this.#link = new BrokerLink({
      url: options.brokerUrl,
      name: 'auth: publish keys',
      logger: options.logger,
      setUp: async (model) => {
        await deleteOutdatedStream(model)
        const channel = await model.createConfirmChannel()
        channel.on('error', (error) => options.logger.warn({ err: error }, 'channel of the key snapshots failed'))
        channel.on('close', () => this.#link.restart(new Error('the channel of the key snapshots was closed')))
        // The stream was deleted: set-up declares it again.
        channel.on('return', () => this.#link.restart(new Error('the stream of the keys is missing')))
        await assertKeysTopology(channel)
        this.#channel = channel
        queueMicrotask(() => this.publish())
      },
      onDown: () => {
        this.#channel = undefined
      },
    })
  }

  /** When a snapshot was last confirmed by the broker. Milliseconds since 1970. */
  get publishedAtMs(): number | undefined {
    return this.#publishedAtMs
  }

  start(): void {
    this.#link.start()
    this.#timer ??= setInterval(() => this.publish(), this.#options.publishEveryMs)
  }

  /** Starts to read and publish the keys; if that is already in progress, it is repeated afterwards. Never throws. */
  publish(): void {
    this.#isStale = true
    this.#running ??= this.#publishAll().finally(() => {
      this.#running = undefined
      if (this.#isStale && this.#channel !== undefined) this.publish()
    })
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#running
    await this.#link.close()
  }

  async #publishAll(): Promise<void> {
    const { db, logger } = this.#options
    while (this.#isStale) {
      this.#isStale = false
      try {
        await renewVisitorSalts(db, new Date())
        this.#newest = await readKeySnapshot(db, Date.now(), { forIngest: true })
      } catch (error) {
        logger.warn({ err: error }, 'the keys could not be read; the last snapshot is published again')
      }
      try {
        await this.#send()
      } catch (error) {
        logger.warn({ err: error }, 'the keys could not be published')
      }
    }
  }

  async #send(): Promise<void> {
    const channel = this.#channel
    if (channel === undefined || this.#newest === undefined) return
    const snapshot = withoutOldSalts(this.#newest, Date.now())
    await new Promise<void>((resolve, reject) => {
      channel.publish(
        keysTopology.exchange,
        '',
        encodeKeySnapshot(snapshot),
        { type: keySnapshotType, contentType: 'application/json', persistent: true, mandatory: true },
        (error) => (error ? reject(error) : resolve()),
      )
    })
    this.#publishedAtMs = Date.now()
  }
}
