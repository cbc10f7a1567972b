import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'

const dayMs = 86_400_000
const firstYear = 2010
/** Of a month, so that packing has few hours to do. */
const daysWithClicks = 3
const eventsPerBatch = 500
/** Months that stay among the raw clicks after they came. */
const keptMonths = 2

/**
 * Lets months pass in minutes: each step sends the clicks of the next month to /v1/backfill, and lowers the age of raw clicks so that
 * the months before the last two are to be archived and removed.
 */
export class PastMonths {
  readonly #baseUrl: string
  readonly #key: string
  readonly #owner: Client
  /** When the clicks of each month that passed were accepted, by the clock of this process. */
  readonly #acceptedAtMs: number[] = []
  accepted = 0

  constructor(baseUrl: string, key: string, owner: Client) {
    this.#baseUrl = baseUrl
    this.#key = key
    this.#owner = owner
  }

  get months(): number {
    return this.#acceptedAtMs.length
  }

  /** @throws if a click is not accepted */
  async next(clicks: number): Promise<void> {
    const startMs = this.#startOf(this.months)
    for (let sent = 0; sent < clicks; sent += eventsPerBatch) {
      const events = Array.from({ length: Math.min(eventsPerBatch, clicks - sent) }, (_, index) => {
        const atMs = Math.floor(startMs + ((sent + index) * daysWithClicks * dayMs) / clicks)
        return {
          id: idOf(atMs, sent + index),
          target: `past-${index % 20}`,
          visitorId: `visitor ${(sent + index) % 700}`,
          occurredAt: new Date(atMs).toISOString(),
        }
      })
      this.accepted += await this.#accept(JSON.stringify({ events }))
    }
    this.#acceptedAtMs.push(Date.now())
    if (this.months <= keptMonths) return
    const keptDays = Math.ceil((Date.now() - this.#startOf(this.months - keptMonths)) / dayMs)
    await this.#owner.query('update projects set keep_raw_days = $1 where id = 1', [keptDays])
  }

  /**
   * Reads the counts of a month, which are exact from its counting to long after its clicks were archived and removed.
   *
   * @param clicks of each month
   * @returns undefined if they are right, or need not contain all clicks yet
   */
  async wrongCounts(month: number, clicks: number): Promise<string | undefined> {
    const time = (ms: number) => new Date(ms).toISOString()
    const range = `from=${time(this.#startOf(month))}&to=${time(this.#startOf(month + 1))}`
    const response = await fetch(new URL(`/v1/counts?${range}`, this.#baseUrl), {
      headers: { authorization: `Bearer ${this.#key}` },
    })
    const text = await response.text()
    if (response.status !== 200) return `${response.status}: ${text}`
    const { total, bots, meta } = JSON.parse(text) as { total: number; bots: number; meta: { asOf: string | null } }
    const isComplete = Date.parse(meta.asOf ?? '') > (this.#acceptedAtMs[month] ?? Infinity)
    const counted = total + bots
    return counted === clicks || (!isComplete && counted < clicks)
      ? undefined
      : `${range} has ${clicks} clicks and ${counted} are counted: ${text}`
  }

  /** Sends it again, with the same ids, while it is refused for a reason that passes. Resolves with the number of accepted clicks. */
  async #accept(body: string): Promise<number> {
    for (;;) {
      const response = await fetch(new URL('/v1/backfill', this.#baseUrl), {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#key}` },
        body,
      })
      const text = await response.text()
      if (response.status === 202) return (JSON.parse(text) as { accepted: number }).accepted
      if (![429, 503].includes(response.status)) throw new Error(`/v1/backfill answered ${response.status}: ${text}`)
      await sleep(1_000)
    }
  }

  #startOf(month: number): number {
    return Date.UTC(firstYear, month)
  }
}

/** A UUIDv7 of this time; the number tells clicks of one millisecond apart. */
function idOf(timeMs: number, number: number): string {
  const hex = timeMs.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${number.toString(16).padStart(12, '0')}`
}
