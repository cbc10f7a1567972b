import { setTimeout as sleep } from 'node:timers/promises'
import { HostChoice } from '@clicktally/hosts/host-choice.ts'
import { hostOf } from '@clicktally/hosts/host-urls.ts'
import type { ChannelModel } from 'amqplib'
import type { Logger } from 'pino'
import { closeConnection, connectToBroker } from './broker-connection.ts'

export interface BrokerLinkOptions {
  /** amqp:// or amqps://, with user and password. A cluster's has several hosts, separated by commas: see hostUrls(). */
  readonly url: string
  /** Shown in RabbitMQ's list of connections and in the log. */
  readonly name: string
  readonly logger: Logger
  /** Prepares a new connection before it counts as open: opens channels, declares, consumes. */
  readonly setUp: (model: ChannelModel) => Promise<void>
  /** Called when a connection is lost with its channels, once for each call of `setUp`. */
  readonly onDown: () => void
}

/** The longest wait between two attempts. It lets ingest accept clicks within 10 s after a restart of the broker. */
const maxBackoffMs = 2_000
const handshakeTimeoutMs = 5_000
/** With several hosts, for the first attempt at each: an ingest whose host is silent should accept clicks elsewhere within 6 s. */
const firstHandshakeTimeoutMs = 1_000
const setUpTimeoutMs = 10_000
/** A connection that is given up gets no longer, so that the next one need not wait for a silent host. */
const giveUpTimeoutMs = 100

/**
 * A connection to RabbitMQ that reconnects by itself.
 *
 * States: `connecting` (the initial state: an attempt, or the wait before the next) → `open` (setUp has succeeded) →
 * `connecting` when the connection is lost → … → `closed` after close(), which is final. Channels, consumers and unconfirmed
 * messages do not survive a connection: the owner handles them in setUp and onDown.
 *
 * With several hosts each attempt goes to the one that HostChoice names. A lost or restarted connection counts as a failure of its host,
 * so the next attempt goes to another, without a back-off until all have been tried.
 *
 * amqplib's own `recovery` is not used: it does not notice that the broker closed a channel of an open connection (404, 406),
 * and an error during its setup ends the process.
 */
export class BrokerLink {
  readonly #options: BrokerLinkOptions
  readonly #hosts: HostChoice
  readonly #stop = new AbortController()
  #state: 'connecting' | 'open' | 'closed' = 'connecting'
  #blocked: string | undefined
  #drop: (reason: Error) => void = () => {}
  #running: Promise<void> | undefined

  constructor(options: BrokerLinkOptions) {
    this.#options = options
    this.#hosts = new HostChoice(options.url)
  }

  /** The URL of the host that it is or was last connected to, or tries next. */
  get currentUrl(): string {
    return this.#hosts.next()
  }

  get hostCount(): number {
    return this.#hosts.size
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Why the broker has blocked the connection (a memory or disk alarm). Undefined while it is not blocked. */
  get blocked(): string | undefined {
    return this.#blocked
  }

  /** Connects in the background, and keeps trying. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** Drops the connection and opens a new one, for instance because a channel failed. */
  restart(reason: Error): void {
    this.#drop(reason)
  }

  /** Closes the connection. The owner should have closed its channels: what is not yet sent on them is lost. */
  async close(): Promise<void> {
    this.#stop.abort()
    this.#drop(new Error('closed by us'))
    await this.#running
    this.#state = 'closed'
  }

  async #run(): Promise<void> {
    const { name, logger } = this.#options
    const stop = this.#stop.signal
    for (let attempt = 0; !stop.aborted; attempt += 1) {
      const round = Math.floor(attempt / this.#hosts.size)
      // Jitter, so that many processes do not reconnect to a restarted broker in lockstep.
      if (attempt > 0) {
        const backoffMs = Math.min(maxBackoffMs, 100 * 2 ** Math.min(round, 6))
        await sleep(backoffMs * (0.5 + Math.random() / 2), undefined, { signal: stop }).catch(() => {})
        if (stop.aborted) return
      }
      const url = this.#hosts.next()
      try {
        const timeoutMs = round === 0 && this.#hosts.size > 1 ? firstHandshakeTimeoutMs : handshakeTimeoutMs
        await this.#connectOnce(url, timeoutMs, () => {
          attempt = 0
          this.#hosts.worked(url)
        })
      } catch (error) {
        if (!stop.aborted) {
          logger.warn({ err: error, connection: name, host: hostOf(url), attempt }, 'broker connection failed')
        }
      }
      this.#hosts.failed(url)
    }
  }

  /** Resolves or rejects when the connection is over. */
  async #connectOnce(url: string, timeoutMs: number, opened: () => void): Promise<void> {
    const { name, logger, setUp, onDown } = this.#options
    const host = hostOf(url)
    const model = await connectToBroker(url, name, timeoutMs)
    const ended = new Promise<Error | undefined>((resolve) => {
      this.#drop = resolve
      // A clean shutdown of the broker emits only `close`. A broken connection emits `error`, then `close`.
      model.on('error', (error) => resolve(error))
      model.on('close', (error) => resolve(error))
    })
    model.on('blocked', (reason) => {
      this.#blocked = reason || 'no reason given'
      logger.warn({ connection: name, reason }, 'broker blocked the connection')
    })
    model.on('unblocked', () => {
      this.#blocked = undefined
      logger.info({ connection: name }, 'broker unblocked the connection')
    })
    try {
      if (this.#stop.signal.aborted) return
      const failed = await Promise.race([
        setUp(model).then(() => 'ready' as const),
        ended.then((error) => error ?? new Error('the connection closed during set-up')),
        sleep(setUpTimeoutMs, new Error(`set-up took longer than ${setUpTimeoutMs} ms`), { ref: false }),
      ])
      if (failed !== 'ready') throw failed
      opened()
      this.#state = 'open'
      logger.info({ connection: name, host }, 'broker connected')
      const error = await ended
      if (error !== undefined && !this.#stop.signal.aborted) {
        logger.warn({ err: error, connection: name, host }, 'broker connection lost')
      }
    } finally {
      this.#state = 'connecting'
      this.#blocked = undefined
      this.#drop = () => {}
      onDown()
      await closeConnection(model, this.#stop.signal.aborted ? undefined : giveUpTimeoutMs)
    }
  }
}
