import { randomUUID } from 'node:crypto'
import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { assertTopology, topology } from '@clicktally/broker/topology.ts'
import type { ConfirmChannel } from 'amqplib'
import type { Logger } from 'pino'

const confirmWithinMs = 10_000

export interface DeadLetter {
  /** The AMQP type the content had, so that it can be replayed as it was. */
  readonly type: string | undefined
  readonly content: Buffer
  readonly reason: string
  readonly detail: string
  readonly requestId?: string
}

/**
 * Publishes to `clicks.dead` what can never be counted, with its reason, which the broker's own dead-lettering can't carry.
 * On a connection of its own: a broker in alarm stops reading from publishers, and must go on reading our acknowledgements.
 */
export class DeadLetters {
  readonly #link: BrokerLink
  #channel: ConfirmChannel | undefined

  constructor(brokerUrl: string, logger: Logger) {
    this.#link = new BrokerLink({
      url: brokerUrl,
      name: 'clicktally processor, dead letters',
      logger,
      setUp: async (model) => {
        const channel = await model.createConfirmChannel()
        let cause = new Error('the broker closed the channel')
        channel.on('error', (error) => {
          cause = error
        })
        channel.on('close', () => this.#link.restart(cause))
        await assertTopology(channel)
        this.#channel = channel
      },
      onDown: () => {
        this.#channel = undefined
      },
    })
  }

  start(): void {
    this.#link.start()
  }

  /** Resolves when the broker has it safe. @throws when it has not: nothing is lost as long as the original is not acknowledged. */
  async publish({ type, content, reason, detail, requestId }: DeadLetter): Promise<void> {
    const channel = this.#channel
    if (channel === undefined) throw new Error('no connection for dead letters')
    await new Promise<void>((resolve, reject) => {
      const messageId = randomUUID()
      const timeout = setTimeout(() => reject(new Error('the dead letter was not confirmed in time')), confirmWithinMs)
      const onReturn = ({ properties }: { properties: { messageId?: unknown } }) => {
        if (properties.messageId === messageId) reject(new Error('the dead letter was returned as unroutable'))
      }
      channel.on('return', onReturn)
      const options = {
        messageId,
        ...(type !== undefined && { type }),
        contentType: 'application/x-ndjson',
        appId: 'processor',
        headers: {
          reason,
          detail: detail.slice(0, 500),
          'died-at': new Date().toISOString(),
          'request-id': requestId ?? '',
        },
        persistent: true,
        mandatory: true,
      }
      channel.publish(topology.deadExchange, topology.routingKey, content, options, (error: unknown) => {
        clearTimeout(timeout)
        channel.off('return', onReturn)
        if (error) reject(error instanceof Error ? error : new Error('the broker refused the dead letter'))
        else resolve()
      })
    })
  }

  async close(): Promise<void> {
    await this.#link.close()
  }
}
