import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { liveTopology } from '@clicktally/broker/live-topology.ts'
import { decodeLiveMessage, type LiveMessage } from '@clicktally/message/live-message.ts'
import type { ChannelModel, ConsumeMessage } from 'amqplib'
import type { Logger } from 'pino'
import type { LiveEntry } from './live-history.ts'

export interface LiveStreamOptions {
  readonly brokerUrl: string
  readonly logger: Logger
  /** Called with each message, in order. `hasGap` is set too if messages are missing before it. */
  readonly onEntry: (entry: LiveEntry) => void
}

/** Somewhat more than the minute for which viewers can resume, so that they can at an api that has just started. */
const backlogMs = 90_000

/** Reads the stream of live clicks: first the last minute, then each message as it arrives, across lost connections. */
export class LiveStream {
  readonly #options: LiveStreamOptions
  readonly #link: BrokerLink
  #last: LiveEntry | undefined

  constructor(options: LiveStreamOptions) {
    this.#options = options
    this.#link = new BrokerLink({
      url: options.brokerUrl,
      name: 'clicktally api, live clicks',
      logger: options.logger,
      setUp: (model) => this.#consume(model),
      onDown: () => {},
    })
  }

  /** Whether messages arrive now. */
  get isOpen(): boolean {
    return this.#link.isOpen
  }

  start(): void {
    this.#link.start()
  }

  async close(): Promise<void> {
    await this.#link.close()
  }

  async #consume(model: ChannelModel): Promise<void> {
    const { logger } = this.#options
    const channel = await model.createChannel()
    channel.on('error', (error) => logger.warn({ err: error }, 'channel of the live stream failed'))
    channel.on('close', () => this.#link.restart(new Error('the channel of the live stream was closed')))
    const resumedAt = this.#last
    let isFirst = true
    // Streams require a prefetch and acknowledgements.
    await channel.prefetch(100)
    await channel.consume(
      liveTopology.stream,
      (message) => {
        // The message is null if the stream was deleted.
        if (message === null) {
          this.#link.restart(new Error('the live stream was deleted'))
          return
        }
        channel.ack(message)
        const entry = this.#entryOf(message)
        // It begins with the last message of before. If that is another one, messages were lost, or the stream is a new one.
        const isKnown = isFirst && entry.offset === resumedAt?.offset && entry.sentAtMs === resumedAt.sentAtMs
        const isLost = isFirst ? resumedAt !== undefined : entry.offset !== (this.#last?.offset ?? -1) + 1
        isFirst = false
        if (isKnown) return
        this.#last = entry
        this.#options.onEntry(isLost ? { ...entry, hasGap: true } : entry)
      },
      {
        noAck: false,
        arguments: {
          'x-stream-offset': resumedAt?.offset ?? {
            '!': 'timestamp',
            value: Math.floor((Date.now() - backlogMs) / 1_000),
          },
        },
      },
    )
  }

  #entryOf({ properties, content }: ConsumeMessage): LiveEntry {
    const offset = Number(properties.headers?.['x-stream-offset'])
    let message: LiveMessage
    try {
      message = decodeLiveMessage(properties.type as string | undefined, content)
    } catch (error) {
      // Perhaps it has a newer format.
      this.#options.logger.error({ err: error }, 'a message with live clicks could not be read')
      message = { sentAtMs: this.#last?.sentAtMs ?? Date.now(), hasGap: true, clicks: [] }
    }
    return { offset, ...message }
  }
}
