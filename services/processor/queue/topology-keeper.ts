import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { assertTopology } from '@clicktally/broker/topology.ts'
import { PeriodicTask } from '@clicktally/periodic/periodic-task.ts'
import type { Channel, ChannelModel } from 'amqplib'
import type { Logger } from 'pino'

/** The longest time for which ingest rejects clicks after a binding or an exchange was deleted. */
const intervalMs = 3_000

/**
 * Redeclares queues, exchanges and bindings that were deleted at run time. A consumer notices the loss of its queue, but a missing
 * binding or exchange only affects ingest, which may not declare anything.
 *
 * Uses its own connection: the declaration of a queue without a leader blocks, and must not delay acknowledgements.
 */
export class TopologyKeeper {
  readonly #link: BrokerLink
  readonly #task: PeriodicTask
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
    this.#task = new PeriodicTask({
      name: 'declare the topology',
      logger,
      intervalMs,
      retryAfterMs: intervalMs,
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
    // Closing the connection ends a blocked declaration.
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
