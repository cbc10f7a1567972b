import { Agent, request } from 'node:http'
import { randomUuidV7 } from '@clicktally/contract/uuid-v7.ts'

export interface LoadResult {
  /** Answers by status, and errors of the connection by code. */
  readonly answers: Record<string, number>
  /** Ids that were answered 202. */
  readonly accepted: ReadonlySet<string>
}

/**
 * Sends clicks, one a request, from some connections at once until it is stopped. A click that was not accepted is sent
 * again with the same id until it is.
 */
export class ClickLoad {
  readonly #url: URL
  readonly #target: string
  readonly #agent: Agent
  readonly #clients: Promise<void>[]
  readonly #answers: Record<string, number> = {}
  readonly #accepted = new Set<string>()
  #stopped = false

  constructor(baseUrl: string, target: string, connections = 16) {
    this.#url = new URL('/v1/events', baseUrl)
    this.#target = target
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
    this.#clients = Array.from({ length: connections }, () => this.#run())
  }

  get accepted(): number {
    return this.#accepted.size
  }

  /** Ends the load; resolves when every click that was begun is accepted. */
  async stop(): Promise<LoadResult> {
    this.#stopped = true
    await Promise.all(this.#clients)
    this.#agent.destroy()
    return { answers: this.#answers, accepted: this.#accepted }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const id = randomUuidV7(Date.now())
      for (let tries = 0; tries < 300; tries += 1) {
        const answer = await this.#send(JSON.stringify({ id, target: this.#target }))
        this.#answers[answer] = (this.#answers[answer] ?? 0) + 1
        if (answer === '202') {
          this.#accepted.add(id)
          break
        }
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
  }

  #send(body: string): Promise<string> {
    return new Promise((resolve) => {
      const options = {
        method: 'POST',
        agent: this.#agent,
        timeout: 10_000,
        headers: { 'content-type': 'application/json' },
      }
      const sent = request(this.#url, options, (response) => {
        response.resume()
        response.on('end', () => resolve(String(response.statusCode)))
        response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      })
      sent.on('timeout', () => sent.destroy(new Error('timeout')))
      sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      sent.end(body)
    })
  }
}
