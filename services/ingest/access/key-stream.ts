import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { keysTopology } from '@clicktally/broker/keys-topology.ts'
import type { KeyRing } from '@clicktally/keys/key-ring.ts'
import { decodeKeySnapshot } from '@clicktally/keys/key-snapshot.ts'
import type { ChannelModel } from 'amqplib'
import type { Logger } from 'pino'

export interface KeyStreamOptions {
  readonly brokerUrl: string
  readonly logger: Logger
  readonly ring: KeyRing
}

/**
 * Fills the key ring from the broker's stream of key snapshots: with the last one at each connect, then with each new one. Uses a
 * separate connection, because a memory or disk alarm blocks the one that publishes.
 */
export class KeyStream {
  readonly #options: KeyStreamOptions
  readonly #link: BrokerLink

  constructor(options: KeyStreamOptions) {
    this.#options = options
    this.#link = new BrokerLink({
      url: options.brokerUrl,
      name: 'ingest: read keys',
      logger: options.logger,
      setUp: (model) => this.#consume(model),
      // The last snapshot stays in use.
      onDown: () => {},
    })
  }

  start(): void {
    this.#link.start()
  }

  async close(): Promise<void> {
    await this.#link.close()
  }

  async #consume(model: ChannelModel): Promise<void> {
    const { logger, ring } = this.#options
    const channel = await model.createChannel()
    channel.on('error', (error) => logger.warn({ err: error }, 'channel of the key stream failed'))
    channel.on('close', () => this.#link.restart(new Error('the channel of the key stream was closed')))
    // Streams require a prefetch and acknowledgements.
    await channel.prefetch(10)
    await channel.consume(
      keysTopology.stream,
      (message) => {
        // The message is null if the stream was deleted.
        if (message === null) {
          this.#link.restart(new Error('the key stream was deleted'))
          return
        }
        channel.ack(message)
        try {
          const snapshot = decodeKeySnapshot(message.properties.type as string | undefined, message.content)
          const { version } = ring
          if (ring.replace(snapshot) && version !== snapshot.version) {
            logger.info({ version: snapshot.version, keys: snapshot.keys.length }, 'keys updated')
          }
        } catch (error) {
          // Perhaps it has a newer format. The last valid snapshot stays in use.
          logger.error({ err: error }, 'a key snapshot could not be read')
        }
      },
      // `last` starts at the last chunk, which may contain several snapshots. The newest one is used.
      { arguments: { 'x-stream-offset': 'last' } },
    )
  }
}
