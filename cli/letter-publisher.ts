import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProducerLedger } from '@clicktally/broker/producer-ledger.ts'
import { topology } from '@clicktally/broker/topology.ts'
import { stampHeaders } from '@clicktally/contract/ledger-stamp.ts'
import { clicksMessageType } from '@clicktally/contract/message-type.ts'
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import { CliError } from './cli-error.ts'

/** What travels of a dead letter. */
export interface Letter {
  readonly id: number
  readonly type: string | null
  readonly content: Buffer
  readonly clicks: number
}

interface Pending {
  readonly confirm: () => void
  readonly fail: (error: CliError) => void
}

/** Less than the database lets a transaction stand idle, 10 s. */
const confirmWithinMs = 5_000
const connectWithinMs = 15_000
const closeWithinMs = 1_000

/**
 * Publishes dead letters to where clicks come in, over one connection, with stamps for the ledger as a producer of its own.
 *
 * Open from `open` until close() or until the connection breaks. Then, and when the broker blocks its publishers, whatever
 * is unconfirmed fails: it may have arrived, so it is to be published again another time, and counts once by its ids.
 */
export class LetterPublisher {
  readonly #model: ChannelModel
  readonly #channel: ConfirmChannel
  readonly #ledger = new ProducerLedger()
  readonly #pending = new Map<number, Pending>()
  readonly #returned = new Set<number>()
  #broken: CliError | undefined

  private constructor(model: ChannelModel, channel: ConfirmChannel, where: string) {
    this.#model = model
    this.#channel = channel
    let cause = ''
    const note = (error: Error) => {
      cause = `: ${error.message}`
    }
    model.on('error', note)
    channel.on('error', note)
    // Before amqplib's own listener, which fails each unconfirmed message as if the broker had refused it.
    channel.prependListener('close', () => this.#break(`The broker at ${where} closed the connection${cause}`))
    model.on('close', () => this.#break(`The connection to the broker at ${where} broke${cause}`))
    model.on('blocked', (reason) =>
      this.#break(`The broker at ${where} takes no messages at present: ${reason || 'it gives no reason'}`),
    )
    // An unroutable message is returned, and then confirmed all the same.
    channel.on('return', ({ properties }) => this.#returned.add(Number(properties.headers?.sequence)))
  }

  /** @throws {CliError} where the broker can't be reached or does not let us in */
  static async open(url: string): Promise<LetterPublisher> {
    const { host } = new URL(url)
    try {
      // amqplib leaves Nagle on and sets no time limit.
      const options = {
        noDelay: true,
        timeout: connectWithinMs,
        clientProperties: { connection_name: 'clicktally cli' },
      }
      const model = await connect(withHeartbeat(url), options)
      // Without a listener an error while the channel opens would end the process.
      model.on('error', () => {})
      return new LetterPublisher(model, await model.createConfirmChannel(), host)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const said = message || code
      throw new CliError(`The broker at ${host} can't be reached: ${said}. Does it run?`, 1, { cause: error })
    }
  }

  /**
   * Resolves when the broker has the letter safe and routed to the queue.
   * @throws {CliError} where it has not, or where that is not known
   */
  async publish({ type, content, clicks }: Omit<Letter, 'id'>): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken
    const stamp = this.#ledger.stamp(clicks)
    const { sequence } = stamp
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => this.#fail(sequence, `The broker did not confirm within ${confirmWithinMs / 1000} s`),
        confirmWithinMs,
      )
      this.#pending.set(sequence, {
        confirm: () => {
          clearTimeout(timer)
          resolve()
        },
        fail: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      })
      const options = {
        ...(type !== null && { type }),
        contentType: 'application/x-ndjson',
        messageId: randomUUID(),
        timestamp: Math.floor(Date.now() / 1000),
        appId: 'cli',
        headers: stampHeaders(stamp),
        persistent: true,
        mandatory: true,
      }
      this.#channel.publish(topology.exchange, topology.routingKey, content, options, (error: unknown) => {
        this.#settle(sequence, error)
      })
    })
  }

  /** Tells the ledger what became of the last letters, if no message has told it yet. Without it the ledger knows less, and nothing is lost. */
  async report(): Promise<void> {
    if (this.#broken === undefined && this.#ledger.hasNews) {
      await this.publish({ type: clicksMessageType, content: Buffer.alloc(0), clicks: 0 })
    }
  }

  /** Closes politely where the other side still answers, and cuts the socket where it does not. */
  async close(): Promise<void> {
    this.#ledger.close()
    this.#broken ??= new CliError('The connection to the broker is closed')
    const closed = this.#model.close().catch(() => {})
    await Promise.race([closed, sleep(closeWithinMs, undefined, { ref: false })])
    const { stream } = this.#model.connection as unknown as { stream?: { destroy(): void } }
    stream?.destroy()
  }

  #settle(sequence: number, error: unknown): void {
    // No outcome counts any more once the connection is broken or the time was up.
    const pending = this.#pending.get(sequence)
    const wasReturned = this.#returned.delete(sequence)
    if (error || wasReturned) this.#ledger.refused(sequence)
    else this.#ledger.confirmed(sequence)
    if (pending === undefined) return
    if (error) this.#fail(sequence, 'The broker refused a letter: its queue is full')
    else if (wasReturned) this.#fail(sequence, 'The queue for clicks, or its binding, is missing at the broker')
    else {
      this.#pending.delete(sequence)
      pending.confirm()
    }
  }

  #fail(sequence: number, message: string): void {
    const pending = this.#pending.get(sequence)
    this.#pending.delete(sequence)
    pending?.fail(new CliError(message))
  }

  #break(message: string): void {
    if (this.#broken !== undefined) return
    this.#broken = new CliError(message)
    // What has no outcome by now never gets one.
    this.#ledger.close()
    for (const sequence of [...this.#pending.keys()]) this.#fail(sequence, message)
  }
}

/** The broker's default of 60 s means minutes of not noticing that the other side is gone. */
function withHeartbeat(url: string): string {
  const parsed = new URL(url)
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', '10')
  return parsed.href
}
