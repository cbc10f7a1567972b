import { setTimeout as sleep } from 'node:timers/promises'
import { type ChannelModel, connect } from 'amqplib'
import type { Logger } from 'pino'

export interface BrokerLinkOptions {
  /** amqp:// or amqps://, with user and password. */
  readonly url: string
  /** What the connection is for; shown in RabbitMQ's list of connections and in the log. */
  readonly name: string
  readonly logger: Logger
  /** Opens channels, declares, consumes: whatever the new connection needs before it counts as open. */
  readonly setUp: (model: ChannelModel) => Promise<void>
  /** The connection is gone, and all its channels with it. Called once for each `setUp` that was begun. */
  readonly onDown: () => void
}

/** The longest wait between two attempts: after a broker's restart ingest accepts again within 10 s. */
const maxBackoffMs = 2_000
const handshakeTimeoutMs = 5_000
const setUpTimeoutMs = 10_000

/**
 * One connection to RabbitMQ that comes back by itself.
 *
 * States: `connecting` (first state; an attempt is under way or waited for) → `open` (setUp has succeeded) → `connecting`
 * when the connection ends for whatever reason → … → `closed` after close(), for good. Channels, consumers and unconfirmed
 * messages do not survive a connection: they belong to whoever passed setUp and onDown.
 *
 * amqplib's own `recovery` is not used: it does not notice a channel that the broker closed while the connection lives
 * (404, 406), and an error while its setup runs ends the process.
 */
export class BrokerLink {
  readonly #options: BrokerLinkOptions
  readonly #stop = new AbortController()
  #state: 'connecting' | 'open' | 'closed' = 'connecting'
  #blocked: string | undefined
  #drop: (reason: Error) => void = () => {}
  #running: Promise<void> | undefined

  constructor(options: BrokerLinkOptions) {
    this.#options = options
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Why the broker takes no messages at present (a memory or disk alarm). Undefined while it does. */
  get blocked(): string | undefined {
    return this.#blocked
  }

  /** Begins to connect and keeps trying; returns at once. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** Gives the connection up and makes a new one: for a channel that is of no use any more. */
  restart(reason: Error): void {
    this.#drop(reason)
  }

  /** Closes for good. Channels should have been closed by their owner; what is not yet sent on them is lost. */
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
      // Full jitter, so that many processes do not return to a broker that has just restarted in step.
      if (attempt > 0) {
        const backoffMs = Math.min(maxBackoffMs, 100 * 2 ** Math.min(attempt, 6))
        await sleep(backoffMs * (0.5 + Math.random() / 2), undefined, { signal: stop }).catch(() => {})
        if (stop.aborted) return
      }
      try {
        await this.#connectOnce(() => {
          attempt = 0
        })
      } catch (error) {
        if (!stop.aborted) logger.warn({ err: error, connection: name, attempt }, 'broker connection failed')
      }
    }
  }

  /** Resolves or rejects when the connection is over. */
  async #connectOnce(opened: () => void): Promise<void> {
    const { url, name, logger, setUp, onDown } = this.#options
    const model = await connect(withHeartbeat(url), {
      // amqplib leaves Nagle on and sets no time limit.
      noDelay: true,
      keepAlive: true,
      timeout: handshakeTimeoutMs,
      clientProperties: { connection_name: name },
    })
    const over = new Promise<Error | undefined>((resolve) => {
      this.#drop = resolve
      // A clean shutdown of the broker emits only `close`; a cut emits `error`, then `close`.
      model.on('error', (error) => resolve(error))
      model.on('close', (error) => resolve(error))
    })
    model.on('blocked', (reason) => {
      this.#blocked = reason || 'no reason given'
      logger.warn({ connection: name, reason }, 'broker takes no messages')
    })
    model.on('unblocked', () => {
      this.#blocked = undefined
      logger.info({ connection: name }, 'broker takes messages again')
    })
    try {
      if (this.#stop.signal.aborted) return
      const failed = await Promise.race([
        setUp(model).then(() => 'ready' as const),
        over.then((error) => error ?? new Error('the connection closed during set-up')),
        sleep(setUpTimeoutMs, new Error(`set-up took longer than ${setUpTimeoutMs} ms`), { ref: false }),
      ])
      if (failed !== 'ready') throw failed
      opened()
      this.#state = 'open'
      logger.info({ connection: name }, 'broker connected')
      const error = await over
      if (error !== undefined && !this.#stop.signal.aborted) {
        logger.warn({ err: error, connection: name }, 'broker connection lost')
      }
    } finally {
      this.#state = 'connecting'
      this.#blocked = undefined
      this.#drop = () => {}
      onDown()
      await discard(model)
    }
  }
}

/** Closes politely where the other side still answers, and cuts the socket where it does not. */
async function discard(model: ChannelModel): Promise<void> {
  const closed = model.close().catch(() => {})
  await Promise.race([closed, sleep(1_000, undefined, { ref: false })])
  const { stream } = model.connection as unknown as { stream?: { destroy(): void } }
  stream?.destroy()
}

/** The broker's default of 60 s means 2 to 3 minutes of not noticing; 10 s means 20 to 30 s. */
function withHeartbeat(url: string): string {
  const parsed = new URL(url)
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', '10')
  return parsed.href
}
