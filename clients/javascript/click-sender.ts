import type { Click, ClickFields } from './click.ts'
import { type BatchLimits, ClickQueue, type QueuedClick, queuedClick } from './click-queue.ts'
import { onPageHidden } from './page-hidden.ts'
import { type Answer, ask, baseUrl, errorOf, mayRetry, pause, retryDelayMs } from './request.ts'
import { uuidV7 } from './uuid-v7.ts'

/** Why a click was not sent, or not accepted. */
export interface Drop {
  /** `queue_full`, `closed`, or a code of the server, such as `target_missing` or `key_unknown`. */
  readonly code: string
  readonly detail: string
}

export interface SenderOptions {
  /** Where Clicktally is: `https://counts.example`. */
  readonly url: string | URL
  /** A secret key on a server; in a page a write key, which anyone may read. */
  readonly key: string
  /** Clicks that are sent at once, without waiting for more. Default 100. */
  readonly batchSize?: number
  /** How long a click waits for others, in milliseconds. Default 1,000. */
  readonly flushAfterMs?: number
  /** Clicks that may wait or be under way; further ones are dropped. Default 10,000. */
  readonly maxQueued?: number
  /** How long to wait for an answer, in milliseconds. Default 10,000: more than the server takes. */
  readonly timeoutMs?: number
  /** Called for each click that is given up. Default: warns on the console. */
  readonly onDrop?: (click: Click, drop: Drop) => void
  readonly fetch?: typeof globalThis.fetch
}

/** The server takes 500 clicks and 1 MiB; from a page 128 KiB, of which a browser sends 64 KiB while the page is left. */
const serverLimits: BatchLimits = { clicks: 500, bytes: 1_000_000 }
const pageLimits: BatchLimits = { clicks: 500, bytes: 60_000 }

/**
 * Sends clicks in batches. A batch that gets no answer, or one that says so, is sent again unchanged until it is accepted: the
 * ids stay the same, so that each click is counted once. Batches are sent one after the other.
 */
export class ClickSender {
  readonly #url: URL
  readonly #request: RequestInit
  readonly #limits: BatchLimits
  readonly #options: Required<Omit<SenderOptions, 'url' | 'key'>>
  readonly #isPage: boolean
  readonly #queue = new ClickQueue()
  readonly #givenUp = new AbortController()
  readonly #stopWatching: () => void
  #underWay = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #delivery: Promise<unknown> = Promise.resolve()
  #isClosed = false
  /** The server's clock minus this device's, as far as it matters: 0 unless ids were refused for their time. */
  #clockOffsetMs = 0

  constructor({ url, key, ...options }: SenderOptions) {
    this.#options = {
      ...{ batchSize: 100, flushAfterMs: 1_000, maxQueued: 10_000, timeoutMs: 10_000, onDrop: warn },
      fetch: (...args) => globalThis.fetch(...args),
      ...options,
    }
    // A write key is for pages, and public. As plain text without a header for the key, a browser sends the batch without asking
    // the server first.
    this.#isPage = key.startsWith('ct_w_')
    this.#limits = this.#isPage ? pageLimits : serverLimits
    this.#url = new URL(this.#isPage ? `v1/c?key=${encodeURIComponent(key)}` : 'v1/events/batch', baseUrl(url))
    this.#request = this.#isPage
      ? { method: 'POST', credentials: 'omit', headers: { 'content-type': 'text/plain' } }
      : { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } }
    this.#stopWatching = onPageHidden(() => this.#deliverAtOnce())
  }

  /**
   * Queues a click, and returns its id. Never waits.
   *
   * @throws {TypeError} if a field cannot be written as JSON
   */
  click(target: string, fields: ClickFields = {}): string {
    const nowMs = Date.now()
    const click = { ...fields, id: fields.id ?? uuidV7(nowMs + this.#clockOffsetMs), target }
    if (this.#isClosed) this.#drop(click, { code: 'closed', detail: 'The sender is closed.' })
    else if (this.#queue.length + this.#underWay >= this.#options.maxQueued) {
      this.#drop(click, { code: 'queue_full', detail: `${this.#options.maxQueued} clicks are waiting.` })
    } else {
      this.#queue.add(click, fields.id === undefined ? nowMs : undefined)
      if (this.#queue.length >= this.#options.batchSize) void this.flush()
      else this.#timer ??= setTimeout(() => void this.flush(), this.#options.flushAfterMs)
    }
    return click.id
  }

  /** Sends what is queued now, and resolves when all of it is accepted or dropped. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const { lastNumber } = this.#queue
    this.#delivery = this.#delivery.then(async () => {
      while (this.#queue.hasUpTo(lastNumber)) await this.#deliver(this.#queue.take(this.#limits))
    })
    await this.#delivery
  }

  /**
   * Takes no more clicks, and sends what is queued. What is not accepted in this time is dropped: it may have been counted, if
   * only the answer was lost.
   */
  async close({ timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#isClosed = true
    this.#stopWatching()
    const timer = setTimeout(() => this.#givenUp.abort(), timeoutMs)
    try {
      await this.flush()
    } finally {
      clearTimeout(timer)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** The page may be gone soon: nothing waits for its turn. */
  #deliverAtOnce(): void {
    while (this.#queue.length > 0) {
      this.#delivery = Promise.all([this.#delivery, this.#deliver(this.#queue.take(this.#limits))])
    }
  }

  /** Sends a batch until it is accepted or dropped. Never rejects. */
  async #deliver(batch: readonly QueuedClick[]): Promise<void> {
    this.#underWay += batch.length
    const body = `{"events":[${batch.map(({ json }) => json).join(',')}]}`
    const bytes = batch.reduce((sum, click) => sum + click.bytes, 0)
    const keepalive = this.#isPage && bytes <= this.#limits.bytes
    const { fetch, timeoutMs } = this.#options
    const { signal } = this.#givenUp
    for (let tries = 1; ; tries += 1) {
      const answer = await ask(this.#url, { ...this.#request, body, keepalive }, { fetch, timeoutMs, signal })
      if (Array.isArray(answer.body?.results)) {
        const renewed = this.#settle(batch, answer.body.results, tries === 1)
        if (renewed.length > 0) await this.#deliver(renewed)
        break
      }
      if (mayRetry(answer) && !signal.aborted) await pause(retryDelayMs(tries, answer), signal)
      if (mayRetry(answer) && !signal.aborted) continue
      for (const { click } of batch) this.#drop(click, this.#reason(answer))
      break
    }
    this.#underWay -= batch.length
  }

  /**
   * Drops the clicks that were rejected, except for those whose ids had a wrong time.
   *
   * @param isFirstTry whether the clicks cannot have been accepted before
   * @returns the exceptions, with new ids
   */
  #settle(batch: readonly QueuedClick[], results: readonly Partial<Result>[], isFirstTry: boolean): QueuedClick[] {
    const renewed: QueuedClick[] = []
    for (const { index = -1, status, code = 'rejected', detail = '', serverTime } of results) {
      const queued = batch[index]
      if (status !== 'rejected' || queued === undefined) continue
      const { click, madeAtMs } = queued
      const hasWrongTime = (code === 'id_in_future' || code === 'id_too_old') && serverTime !== undefined
      if (hasWrongTime && madeAtMs !== undefined && isFirstTry) {
        // The device's clock is wrong by more than a day. The click was never accepted, so it may get another id.
        this.#clockOffsetMs = Date.parse(serverTime) - Date.now()
        const id = uuidV7(madeAtMs + this.#clockOffsetMs)
        renewed.push(queuedClick({ ...click, id }, queued.number, undefined))
      } else this.#drop(click, { code, detail })
    }
    return renewed
  }

  #reason(answer: Answer): Drop {
    const { code, message } = errorOf(this.#url, answer)
    if (!this.#givenUp.signal.aborted) return { code, detail: message }
    return { code: 'closed', detail: `The sender was closed before the click was accepted. ${message}` }
  }

  #drop(click: Click, drop: Drop): void {
    try {
      this.#options.onDrop(click, drop)
    } catch (error) {
      // Otherwise the clicks behind this one would never be sent.
      console.error(error)
    }
  }
}

/** What the server says of a click in a batch. */
interface Result {
  readonly index: number
  readonly status: string
  readonly code: string
  readonly detail: string
  readonly serverTime: string
}

function warn({ target }: Click, { code, detail }: Drop): void {
  console.warn(`Clicktally: a click on "${target}" was dropped: ${code}. ${detail}`)
}
