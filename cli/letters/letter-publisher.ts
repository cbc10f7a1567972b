import { closeConnection, connectToBroker } from '@clicktally/broker/broker-connection.ts'
import { type Outcome, StampedChannel } from '@clicktally/broker/stamped-channel.ts'
import type { ChannelModel, ConfirmChannel } from 'amqplib'
import { CliError } from '../cli-error.ts'

/** The part of a dead letter that is published. */
export interface Letter {
  readonly id: number
  readonly type: string | null
  readonly content: Buffer
  readonly clicks: number
}

type Headers = Readonly<Record<string, string>>
type OnOutcome = (outcome: Outcome) => void

/** Less than the 10 s after which the database ends an idle transaction. */
const confirmTimeoutMs = 5_000
const connectTimeoutMs = 15_000

const failures = {
  returned: 'The queue for clicks, or its binding, is missing at the broker',
  refused: 'The broker refused a letter: its queue is full',
} as const satisfies Partial<Record<Outcome, string>>

/**
 * Publishes dead letters to the exchange for new clicks, over one connection, with stamps for the ledger as a producer of its
 * own.
 *
 * Open from open() until close(), or until the connection breaks or the broker blocks its publishers. Unconfirmed letters fail
 * then: they may have arrived, so they are to be published again another time, and their ids make them count once.
 */
export class LetterPublisher {
  readonly #model: ChannelModel
  readonly #channel: StampedChannel
  /** Rejects each letter that has no outcome yet. */
  readonly #pending = new Set<(error: CliError) => void>()
  #broken: CliError | undefined

  private constructor(model: ChannelModel, channel: ConfirmChannel, host: string, headers: Headers) {
    this.#model = model
    this.#channel = new StampedChannel(channel, { appId: 'cli', headers })
    let cause = ''
    const noteCause = (error: Error) => {
      cause = `: ${error.message}`
    }
    model.on('error', noteCause)
    channel.on('error', noteCause)
    // Before amqplib's own listener, which fails each unconfirmed message as if the broker had refused it.
    channel.prependListener('close', () => this.#break(`The broker at ${host} closed the connection${cause}`))
    model.on('close', () => this.#break(`The connection to the broker at ${host} broke${cause}`))
    model.on('blocked', (reason) =>
      this.#break(`The broker at ${host} takes no messages at present: ${reason || 'it gives no reason'}`),
    )
  }

  /**
   * @param headers of each message, besides those of the ledger
   * @throws {CliError} when the broker cannot be reached or refuses the login
   */
  static async open(url: string, headers: Headers = {}): Promise<LetterPublisher> {
    const { host } = new URL(url)
    try {
      const model = await connectToBroker(url, 'clicktally cli', connectTimeoutMs)
      // Without a listener an error while the channel opens would end the process.
      model.on('error', () => {})
      return new LetterPublisher(model, await model.createConfirmChannel(), host, headers)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      throw new CliError(`The broker at ${host} can't be reached: ${message || code}. Does it run?`, 1, {
        cause: error,
      })
    }
  }

  /**
   * Resolves when the broker has stored the letter and routed it to the queue.
   * @throws {CliError} when it has not, or when that is not known.
   */
  async publish({ type, content, clicks }: Omit<Letter, 'id'>): Promise<void> {
    await this.#confirmed((onOutcome) => this.#channel.publish(content, clicks, onOutcome, type))
  }

  /** Reports the last outcomes to the ledger, unless a message has done so. Without it the ledger knows less; no click is lost. */
  async report(): Promise<void> {
    if (this.#broken !== undefined || !this.#channel.hasUnreportedConfirms) return
    await this.#confirmed((onOutcome) => this.#channel.report(onOutcome))
  }

  async close(): Promise<void> {
    this.#channel.close()
    this.#broken ??= new CliError('The connection to the broker is closed')
    await closeConnection(this.#model)
  }

  /** Resolves when the message that `send` publishes is confirmed. */
  async #confirmed(send: (onOutcome: OnOutcome) => void): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timeout = `The broker did not confirm within ${confirmTimeoutMs / 1000} s`
    const timer = setTimeout(() => reject(new CliError(timeout)), confirmTimeoutMs)
    this.#pending.add(reject)
    try {
      send((outcome) => {
        if (outcome === 'confirmed') resolve()
        else reject(new CliError(failures[outcome]))
      })
      await promise
    } finally {
      clearTimeout(timer)
      this.#pending.delete(reject)
    }
  }

  #break(message: string): void {
    if (this.#broken !== undefined) return
    this.#broken = new CliError(message)
    this.#channel.close()
    for (const reject of this.#pending) reject(new CliError(message))
  }
}
