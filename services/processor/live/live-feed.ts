import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { assertLiveTopology, liveTopology } from '@clicktally/broker/live-topology.ts'
import { encodeLiveMessages, liveMessageType } from '@clicktally/message/live-message.ts'
import type { ChannelModel, ConfirmChannel } from 'amqplib'
import type { Logger } from 'pino'
import { Counter, type Registry } from 'prom-client'
import { type ClickRow, copyId } from '../rows/click-row.ts'

export interface LiveFeedOptions {
  readonly brokerUrl: string
  readonly logger: Logger
  readonly registry: Registry
  /** Bytes that may wait for the broker's confirm. Default: 4 MB, which is seconds of heavy load. */
  readonly maxUnconfirmedBytes?: number
}

/** Below the time after which the apis forget messages, so that they always have the last one. */
const heartbeatMs = 10_000

/**
 * Publishes clicks that were just counted to the stream that every api reads. Never in the way of counting: nothing waits for it,
 * and it has a connection of its own. What cannot be sent is dropped, and a later message says so (`hasGap`). Each connection
 * begins with such a message, since nobody knows what the one before, perhaps of a process that crashed, has not sent.
 */
export class LiveFeed {
  readonly #options: LiveFeedOptions
  readonly #link: BrokerLink
  readonly #clicks: Counter
  #channel: ConfirmChannel | undefined
  #unconfirmedBytes = 0
  #hasGap = true
  #sentAtMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: LiveFeedOptions) {
    this.#options = options
    this.#clicks = new Counter({
      name: 'clicktally_live_clicks_total',
      help: 'Counted clicks for the viewers of /v1/live by outcome: published or dropped.',
      labelNames: ['outcome'],
      registers: [options.registry],
    })
    this.#link = new BrokerLink({
      url: options.brokerUrl,
      name: 'clicktally processor, live clicks',
      logger: options.logger,
      setUp: (model) => this.#setUp(model),
      onDown: () => {
        this.#channel = undefined
        this.#hasGap = true
      },
    })
  }

  start(): void {
    this.#link.start()
    this.#timer ??= setInterval(() => {
      if (performance.now() - this.#sentAtMs >= heartbeatMs) this.#publish([])
    }, heartbeatMs).unref()
  }

  /** Publishes clicks that were counted. Call it when their transaction is committed, and before their buffers are reused. */
  counted(clicks: readonly ClickRow[]): void {
    if (clicks.length > 0) this.#publish(clicks)
  }

  /** Tells the viewers that clicks may have been counted that no processor has published. */
  missed(): void {
    this.#hasGap = true
    this.#publish([])
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    // Sends what was published before it closes.
    await this.#link.close()
  }

  async #setUp(model: ChannelModel): Promise<void> {
    const { logger } = this.#options
    const channel = await model.createConfirmChannel()
    channel.on('error', (error) => logger.warn({ err: error }, 'channel of the live clicks failed'))
    channel.on('close', () => this.#link.restart(new Error('the channel of the live clicks was closed')))
    // The stream was deleted: set-up declares it again.
    channel.on('return', () => this.#link.restart(new Error('the stream of the live clicks is missing')))
    await assertLiveTopology(channel)
    this.#channel = channel
    this.#unconfirmedBytes = 0
    this.#hasGap = true
    this.#publish([])
  }

  #publish(rows: readonly ClickRow[]): void {
    const channel = this.#channel
    const { maxUnconfirmedBytes = 4_000_000 } = this.#options
    if (channel === undefined || this.#unconfirmedBytes > maxUnconfirmedBytes) {
      this.#drop(rows.length)
      return
    }
    const hasGap = this.#hasGap
    this.#hasGap = false
    this.#sentAtMs = performance.now()
    try {
      for (const { body, clicks } of encodeLiveMessages(rows, copyId, Date.now(), hasGap))
        this.#send(channel, body, clicks)
    } catch {
      // The channel is closing. `close` is emitted too.
      this.#drop(rows.length)
    }
  }

  #send(channel: ConfirmChannel, content: Buffer, clicks: number): void {
    this.#unconfirmedBytes += content.length
    const options = {
      type: liveMessageType,
      contentType: 'application/octet-stream',
      persistent: false,
      mandatory: true,
    }
    channel.publish(liveTopology.exchange, '', content, options, (error: unknown) => {
      if (channel !== this.#channel) return
      this.#unconfirmedBytes -= content.length
      if (error) this.#drop(clicks)
      else this.#clicks.inc({ outcome: 'published' }, clicks)
    })
  }

  #drop(clicks: number): void {
    this.#hasGap = true
    this.#clicks.inc({ outcome: 'dropped' }, clicks)
  }
}
