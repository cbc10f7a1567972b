import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { assertTopology } from '@clicktally/broker/topology.ts'
import type { Channel, ChannelModel } from 'amqplib'
import type { Logger } from 'pino'
import { RepeatedTask } from './repeated-task.ts'

/** Clicks are refused for so long, at most, after somebody has deleted a binding or an exchange. */
const everyMs = 3_000

/**
 * Declares again what was deleted at the broker while it ran. A consumer notices that its queue is gone, but nobody notices a
 * missing binding or exchange who could mend it: ingest may declare nothing.
 *
 * On a connection of its own: where a queue has no leader, its declaration waits, and must not hold up acknowledgements.
 */
export class TopologyKeeper {
  readonly #link: BrokerLink
  readonly #task: RepeatedTask
  #channel: Channel | undefined

  constructor({ brokerUrl, logger }: { readonly brokerUrl: string; readonly logger: Logger }) {
    this.#link = new BrokerLink({
      url: brokerUrl,
      name: 'clicktally processor, topology',
      logger,
      setUp: (model) => this.#setUp(model),
      onDown: () => {
        this.#channel = undefined
      },
    })
    this.#task = new RepeatedTask({
      name: 'declare the topology',
      logger,
      everyMs,
      retryAfterMs: everyMs,
      run: async () => {
        if (this.#channel !== undefined) await assertTopology(this.#channel)
      },
    })
  }

  start(): void {
    this.#link.start()
    this.#task.start()
  }

  async close(): Promise<void> {
    // A declaration that waits ends with its connection.
    await this.#link.close()
    await this.#task.close()
  }

  async #setUp(model: ChannelModel): Promise<void> {
    const channel = await model.createChannel()
    let cause = new Error('the broker closed the channel')
    channel.on('error', (error) => {
      cause = error
    })
    channel.on('close', () => this.#link.restart(cause))
    await assertTopology(channel)
    this.#channel = channel
  }
}
