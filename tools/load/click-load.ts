import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'

export interface ClickLoadOptions {
  /** Base URLs of nginx or ingests, used in turn. Each retry goes to the next one. */
  readonly endpoints: readonly string[]
  readonly targets: readonly string[]
  /** A key that may send clicks. Default: none. */
  readonly key?: string
  /** Concurrent requests. Default: 16. */
  readonly connections?: number
  /** Rate of all connections together. Default: unlimited. */
  readonly clicksPerSecond?: number
  /** Sends every n-th request as a batch. Default: 0, none. */
  readonly batchEvery?: number
  /** Clicks in a batch. Default: 20. */
  readonly batchClicks?: number
  /** Does not retry every n-th request if it fails, like some clients. Default: 0, retries all. */
  readonly giveUpEvery?: number
  /**
   * After this number of clicks on each target, the load continues on new targets (`button.1`, `button.2`): later clicks on the
   * same target would hide missing ones in its count. Default: unlimited.
   */
  readonly clicksPerTarget?: number
  /** Called with the clicks of each request that is answered with 202. */
  readonly onAccepted?: (clicks: readonly SentClick[]) => void
}

export interface SentClick {
  readonly id: string
  readonly target: string
}

export interface LoadResult {
  /** Number of answers by status, and of connection errors by code. */
  readonly answers: Readonly<Record<string, number>>
  /** Ids that were answered with 202. */
  readonly accepted: ReadonlySet<string>
  /** Ids that were sent at least once, with their targets. */
  readonly sent: ReadonlyMap<string, string>
  /** A request without an answer counts with the client's timeout. */
  readonly slowestAnswerMs: number
}

/** When each endpoint first accepted a click that was sent after `sinceMs`. */
export interface EndpointWatch {
  readonly sinceMs: number
  readonly acceptedAtMs: ReadonlyMap<string, number>
}

const answerWithinMs = 10_000
const pauseBetweenTriesMs = 100
/** How long clients retry after the load was stopped. */
const lastTriesForMs = 60_000

/**
 * Sends clicks over several connections until it is stopped, and records each id and the answers. A request that is not accepted is
 * retried with the same ids.
 */
export class ClickLoad {
  readonly #options: Required<ClickLoadOptions>
  readonly #agent: Agent
  readonly #clients: Promise<void>[]
  readonly #answers: Record<string, number> = {}
  readonly #accepted = new Set<string>()
  readonly #sent = new Map<string, string>()
  readonly #watches = new Set<{ sinceMs: number; acceptedAtMs: Map<string, number> }>()
  readonly #targets = new Set<string>()
  #failures = 0
  #slowestAnswerMs = 0
  #requests = 0
  #made = 0
  #endpointTurn = 0
  /** Clients with a request in progress. */
  #busy = 0
  #paused: PromiseWithResolvers<void> | undefined
  #stoppedAtMs: number | undefined

  constructor(options: ClickLoadOptions) {
    this.#options = {
      connections: 16,
      clicksPerSecond: Number.POSITIVE_INFINITY,
      batchEvery: 0,
      batchClicks: 20,
      giveUpEvery: 0,
      clicksPerTarget: Number.POSITIVE_INFINITY,
      key: '',
      onAccepted: () => {},
      ...options,
    }
    const { connections } = this.#options
    this.#agent = new Agent({ keepAlive: true, maxSockets: Math.max(64, connections * 2) })
    this.#clients = Array.from({ length: connections }, () => this.#run())
  }

  get sent(): number {
    return this.#sent.size
  }

  get accepted(): number {
    return this.#accepted.size
  }

  /** Requests that were not answered with 202. */
  get failures(): number {
    return this.#failures
  }

  get answers(): Readonly<Record<string, number>> {
    return this.#answers
  }

  get endpoints(): readonly string[] {
    return this.#options.endpoints
  }

  /** Targets of all clicks sent so far. */
  get targets(): ReadonlySet<string> {
    return this.#targets
  }

  /** Starts recording when each endpoint first accepts a click that is sent from now on. */
  watchEndpoints(): EndpointWatch {
    const watch = { sinceMs: performance.now(), acceptedAtMs: new Map<string, number>() }
    this.#watches.add(watch)
    return watch
  }

  /** Creates clicks with new ids, on the load's targets in turn. */
  newClicks(count: number): SentClick[] {
    const { targets, clicksPerTarget } = this.#options
    return Array.from({ length: count }, () => {
      const generation = Math.floor(this.#made / (targets.length * clicksPerTarget))
      this.#made += 1
      const target = targets[this.#made % targets.length] ?? ''
      return { id: randomUuidV7(Date.now()), target: generation === 0 ? target : `${target}.${generation}` }
    })
  }

  /** Records clicks, including those that are sent without this load. */
  remember(clicks: readonly SentClick[], accepted: boolean): void {
    for (const { id, target } of clicks) {
      this.#sent.set(id, target)
      this.#targets.add(target)
      if (accepted) this.#accepted.add(id)
    }
  }

  /** Sends the clicks in one request and retries until they are accepted. Resolves with false if it gives up. */
  async send(clicks: readonly SentClick[], triesUntilMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    while (performance.now() < triesUntilMs) {
      const answer = await this.attempt(clicks)
      if (answer === '202') return true
      if (!mayRetry(answer)) return false
      if (this.#stoppedAtMs !== undefined && performance.now() > this.#stoppedAtMs + lastTriesForMs) return false
      await sleep(pauseBetweenTriesMs)
    }
    return false
  }

  /** Sends one request without retries. Resolves with the status, or the code of the connection error. */
  async attempt(clicks: readonly SentClick[], endpoint = this.#nextEndpoint()): Promise<string> {
    this.remember(clicks, false)
    const [only] = clicks
    const single = clicks.length === 1
    const startedAtMs = performance.now()
    const body = JSON.stringify(single ? only : { events: clicks })
    const answer = await this.#post(new URL(single ? '/v1/events' : '/v1/events/batch', endpoint), body)
    const nowMs = performance.now()
    this.#answers[answer] = (this.#answers[answer] ?? 0) + 1
    // Broken connections do not count as answers; timeouts do.
    if (/^\d+$|^timeout$/.test(answer)) this.#slowestAnswerMs = Math.max(this.#slowestAnswerMs, nowMs - startedAtMs)
    if (answer !== '202') this.#failures += 1
    else {
      this.remember(clicks, true)
      this.#options.onAccepted(clicks)
      for (const watch of this.#watches) {
        if (startedAtMs >= watch.sinceMs && !watch.acceptedAtMs.has(endpoint)) watch.acceptedAtMs.set(endpoint, nowMs)
      }
    }
    return answer
  }

  /** Resolves when no request is in progress; no new one is sent until `resume`. */
  async pause(): Promise<void> {
    this.#paused ??= Promise.withResolvers<void>()
    while (this.#busy > 0) await sleep(10)
  }

  resume(): void {
    this.#paused?.resolve()
    this.#paused = undefined
  }

  /** Stops the load; resolves when every request in progress is accepted or given up. */
  async stop(): Promise<LoadResult> {
    this.#stoppedAtMs ??= performance.now()
    this.resume()
    await Promise.all(this.#clients)
    this.#agent.destroy()
    return {
      answers: this.#answers,
      accepted: this.#accepted,
      sent: this.#sent,
      slowestAnswerMs: this.#slowestAnswerMs,
    }
  }

  async #run(): Promise<void> {
    const { connections, clicksPerSecond, batchEvery, batchClicks, giveUpEvery } = this.#options
    let nextAtMs = performance.now() + Math.random() * Math.min(1_000, (connections / clicksPerSecond) * 1_000)
    while (this.#stoppedAtMs === undefined) {
      const waitMs = nextAtMs - performance.now()
      if (waitMs > 1) await sleep(waitMs)
      if (this.#paused !== undefined) {
        await this.#paused.promise
        continue
      }
      this.#requests += 1
      const clicks = this.newClicks(isEvery(batchEvery, this.#requests) ? batchClicks : 1)
      this.#busy += 1
      if (isEvery(giveUpEvery, this.#requests)) await this.attempt(clicks)
      else await this.send(clicks)
      this.#busy -= 1
      // Missed requests are not made up for, so that the rate is the same before and after a fault.
      nextAtMs = Math.max(nextAtMs, performance.now() - 1_000) + (clicks.length * connections * 1_000) / clicksPerSecond
    }
  }

  #nextEndpoint(): string {
    const { endpoints } = this.#options
    this.#endpointTurn = (this.#endpointTurn + 1) % endpoints.length
    return endpoints[this.#endpointTurn] ?? ''
  }

  #post(url: URL, body: string): Promise<string> {
    return new Promise((resolve) => {
      const options = {
        method: 'POST',
        agent: this.#agent,
        timeout: answerWithinMs,
        headers: {
          ...(this.#options.key !== '' && { authorization: `Bearer ${this.#options.key}` }),
          ...{ 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        },
      }
      const failed = (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message)
      const sent = request(url, options, (response) => {
        response.resume()
        response.on('end', () => resolve(String(response.statusCode)))
        response.on('error', failed)
      })
      sent.on('timeout', () => sent.destroy(new Error('timeout')))
      sent.on('error', failed)
      sent.end(body)
    })
  }
}

function isEvery(every: number, count: number): boolean {
  return every > 0 && count % every === 0
}

/** The API documents 408, 429 and 503 as retryable. Errors of a gateway or a connection are retried as well. */
function mayRetry(answer: string): boolean {
  return !/^4\d\d$/.test(answer) || answer === '408' || answer === '429'
}
