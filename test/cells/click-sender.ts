import { setTimeout as sleep } from 'node:timers/promises'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'

/** How many clicks a request has. */
const batchClicks = 20

/**
 * Sends clicks until it is stopped, in batches, and some of them again, also much later. A batch that was not answered 202 is sent again
 * until it is, with the same ids.
 */
export class ClickSender {
  readonly #url: () => string
  readonly #key: string
  readonly #accepted = new Set<string>()
  readonly #refusals = new Map<string, number>()
  #running: Promise<void> | undefined
  #isStopped = false
  #repeats = 0

  /** @param url of an ingest, asked for before each request */
  constructor(url: () => string, key: string) {
    this.#url = url
    this.#key = key
  }

  /** The ids that were answered 202. */
  get accepted(): ReadonlySet<string> {
    return this.#accepted
  }

  /** Clicks answered 202 that had been answered 202 before. */
  get repeats(): number {
    return this.#repeats
  }

  /** How many answers were not 202, by their code. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Resolves when each click that was sent is answered 202. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  /** Sends clicks with these ids, until they are accepted. */
  async send(ids: readonly string[]): Promise<void> {
    const events = ids.map((id) => ({ id, target: `button-${id.charCodeAt(20) % 5}`, visitorId: `v${id.slice(-2)}` }))
    while (!(await this.#post({ events }))) await sleep(50)
    for (const id of ids) {
      if (this.#accepted.has(id)) this.#repeats += 1
      this.#accepted.add(id)
    }
  }

  async #run(): Promise<void> {
    for (let round = 0; !this.#isStopped; round += 1) {
      await this.send(Array.from({ length: batchClicks }, () => randomUuidV7(Date.now())))
      // Clicks of any age, so that repeats meet their first copy wherever it is by then.
      const all = [...this.#accepted]
      await this.send(Array.from({ length: 5 }, (_, at) => all[(round * 7919 + at * 104_729) % all.length] as string))
      await sleep(20)
    }
  }

  async #post(body: object): Promise<boolean> {
    try {
      const response = await fetch(`${this.#url()}/v1/events/batch`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      const answer = (await response.json()) as { code?: string; rejected?: number }
      if (response.status === 202 && answer.rejected === 0) return true
      this.#note(answer.code ?? `status ${response.status}`)
    } catch {
      this.#note('no answer')
    }
    return false
  }

  #note(code: string): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1)
  }
}
