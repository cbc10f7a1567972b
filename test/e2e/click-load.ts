import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomUuidV7 } from '@clicktally/contract/uuid-v7.ts'

export interface ClickLoadOptions {
  /** Base URLs that the requests go to in turn: nginx, or the ingests themselves. A click goes to the next with each try. */
  readonly doors: readonly string[]
  readonly targets: readonly string[]
  /** Requests at once. Default 16. */
  readonly connections?: number
  /** All connections together; default as fast as the answers come. */
  readonly clicksPerSecond?: number
  /** Every so many requests carry a batch; default 0, none. */
  readonly batchEvery?: number
  /** Clicks in a batch; default 20. */
  readonly batchClicks?: number
  /** The client of every so many requests does not try again after a failure, as some do; default 0, none. */
  readonly giveUpEvery?: number
  /**
   * After so many clicks on each target new ones take their place (`button.1`, `button.2`): a count of few clicks shows which
   * are missing, where later ones on the same target would hide it. Default: the targets stay.
   */
  readonly clicksPerTarget?: number
  /** Told about clicks that were answered 202, as the answer arrives. */
  readonly onAccepted?: (clicks: readonly SentClick[]) => void
}

export interface SentClick {
  readonly id: string
  readonly target: string
}

export interface LoadResult {
  /** Answers by status, and errors of the connection by code. */
  readonly answers: Readonly<Record<string, number>>
  /** Ids that were answered 202. */
  readonly accepted: ReadonlySet<string>
  /** Ids that were sent at least once, with their targets. */
  readonly sent: ReadonlyMap<string, string>
  /** Milliseconds; a request without an answer in time counts with the client's limit. */
  readonly slowestAnswerMs: number
}

/** Which doors have accepted a click that was sent after a moment, and when each first did. */
export interface DoorWatch {
  readonly sinceMs: number
  readonly acceptedAtMs: ReadonlyMap<string, number>
}

const answerWithinMs = 10_000
const pauseBetweenTriesMs = 100
/** After the load has ended, so long goes on whoever still has a click to bring home. */
const lastTriesForMs = 60_000

/**
 * Sends clicks over some connections at once until it is stopped, and remembers each id and what was answered. What was
 * not accepted is sent again with the same ids until it is.
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
  #doorTurn = 0
  /** Clients that have a click to bring home. */
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

  /** Requests that were not answered 202. */
  get failures(): number {
    return this.#failures
  }

  get answers(): Readonly<Record<string, number>> {
    return this.#answers
  }

  get doors(): readonly string[] {
    return this.#options.doors
  }

  /** Of all clicks that were sent so far. */
  get targets(): ReadonlySet<string> {
    return this.#targets
  }

  /** Notes, from now on, which door accepts what was sent from now on. */
  watchDoors(): DoorWatch {
    const watch = { sinceMs: performance.now(), acceptedAtMs: new Map<string, number>() }
    this.#watches.add(watch)
    return watch
  }

  /** New clicks, with ids of now, on the load's targets in turn. */
  newClicks(count: number): SentClick[] {
    const { targets, clicksPerTarget } = this.#options
    return Array.from({ length: count }, () => {
      const generation = Math.floor(this.#made / (targets.length * clicksPerTarget))
      this.#made += 1
      const target = targets[this.#made % targets.length] ?? ''
      return { id: randomUuidV7(Date.now()), target: generation === 0 ? target : `${target}.${generation}` }
    })
  }

  /** For clicks that reach the system by another way than through this load: what is stored of them is not a surprise. */
  remember(clicks: readonly SentClick[], accepted: boolean): void {
    for (const { id, target } of clicks) {
      this.#sent.set(id, target)
      this.#targets.add(target)
      if (accepted) this.#accepted.add(id)
    }
  }

  /** Sends the clicks in one request, again and again, until they are accepted. False when it had to give up. */
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

  /** One request, one try. Resolves with the status, or the code of the connection's error. */
  async attempt(clicks: readonly SentClick[], door = this.#nextDoor()): Promise<string> {
    this.remember(clicks, false)
    const [only] = clicks
    const single = clicks.length === 1
    const startedAtMs = performance.now()
    const body = JSON.stringify(single ? only : { events: clicks })
    const answer = await this.#post(new URL(single ? '/v1/events' : '/v1/events/batch', door), body)
    const nowMs = performance.now()
    this.#answers[answer] = (this.#answers[answer] ?? 0) + 1
    // A connection that broke is no answer; one that was waited for in vain is one that never came.
    if (/^\d+$|^timeout$/.test(answer)) this.#slowestAnswerMs = Math.max(this.#slowestAnswerMs, nowMs - startedAtMs)
    if (answer !== '202') this.#failures += 1
    else {
      this.remember(clicks, true)
      this.#options.onAccepted(clicks)
      for (const watch of this.#watches) {
        if (startedAtMs >= watch.sinceMs && !watch.acceptedAtMs.has(door)) watch.acceptedAtMs.set(door, nowMs)
      }
    }
    return answer
  }

  /** Resolves when nothing is on its way any more; nothing new is sent until `resume`. */
  async pause(): Promise<void> {
    this.#paused ??= Promise.withResolvers<void>()
    while (this.#busy > 0) await sleep(10)
  }

  resume(): void {
    this.#paused?.resolve()
    this.#paused = undefined
  }

  /** Ends the load; resolves when every click that was begun is accepted, or its client has given up. */
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
      // What was not sent in its time is not made up for: the load is the same after a fault as before.
      nextAtMs = Math.max(nextAtMs, performance.now() - 1_000) + (clicks.length * connections * 1_000) / clicksPerSecond
    }
  }

  #nextDoor(): string {
    const { doors } = this.#options
    this.#doorTurn = (this.#doorTurn + 1) % doors.length
    return doors[this.#doorTurn] ?? ''
  }

  #post(url: URL, body: string): Promise<string> {
    return new Promise((resolve) => {
      const options = {
        method: 'POST',
        agent: this.#agent,
        timeout: answerWithinMs,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
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

/** As the API says: 408, 429 and 503 may be sent again, and so may what met a broken connection or a gateway's trouble. */
function mayRetry(answer: string): boolean {
  return !/^4\d\d$/.test(answer) || answer === '408' || answer === '429'
}
