import { until } from '@clicktally/testing/until.ts'
import type { FaultSystem } from './fault-system.ts'

const firstYear = 2011
const clicksPerMonth = 300
/** Of a month, so that packing has few hours to do. */
const daysWithClicks = 2
const dayMs = 86_400_000
const targets = 5
const prefix = 'fault-past'

/** Clicks of months that are long past, each month in a partition of its own. */
export class PastClicks {
  readonly #system: FaultSystem
  readonly ids: readonly string[]

  private constructor(system: FaultSystem, ids: readonly string[]) {
    this.#system = system
    this.ids = ids
  }

  /** Sends them to /v1/backfill. Resolves when they are counted and their hours are packed. */
  static async send(system: FaultSystem, months: number): Promise<PastClicks> {
    const ids: string[] = []
    for (let month = 0; month < months; month += 1) {
      const startMs = Date.UTC(firstYear, month)
      const events = Array.from({ length: clicksPerMonth }, (_, index) => ({
        target: `${prefix}-${index % targets}`,
        visitorId: `visitor ${index % 70}`,
        occurredAt: new Date(startMs + (index * daysWithClicks * dayMs) / clicksPerMonth).toISOString(),
      }))
      const response = await fetch(new URL('/v1/backfill', system.nginx), {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${system.ownerKey}` },
        body: JSON.stringify({ events }),
      })
      if (response.status !== 202) throw new Error(`/v1/backfill answered ${response.status}: ${await response.text()}`)
      const { results } = (await response.json()) as { results: { id: string }[] }
      ids.push(...results.map(({ id }) => id))
    }
    const past = new PastClicks(system, ids)
    const clicks = months * clicksPerMonth
    await until(async () => (await past.counted()) === clicks, `${clicks} past clicks to be counted`)
    await until(() => past.#arePacked(), 'the hours of the past clicks to be packed', 500)
    return past
  }

  /** Makes them due, or no longer due, for the janitor. */
  async keepRaw(areKept: boolean): Promise<void> {
    const days = areKept ? null : Math.floor((Date.now() - Date.UTC(firstYear + 1, 0)) / dayMs)
    await this.#system.pool.query('update projects set keep_raw_days = $1 where id = 1', [days])
  }

  /** The sum of their counters. */
  async counted(): Promise<number> {
    const { rows } = await this.#system.pool.query<{ sum: number }>(
      `select coalesce(sum(total + bots), 0) as sum from counters where target like '${prefix}-%'`,
    )
    return Number(rows[0]?.sum)
  }

  /** Those that are in the table of clicks. */
  async stored(): Promise<Set<string>> {
    const { rows } = await this.#system.pool.query<{ id: string }>(
      `select id from clicks where target like '${prefix}-%'`,
    )
    return new Set(rows.map(({ id }) => id))
  }

  async #arePacked(): Promise<boolean> {
    const end = new Date(Date.UTC(firstYear + 1, 0))
    // Packing waits until an hour has been left alone for some minutes.
    await this.#system.pool.query(
      `update stale_hours set stale_since = now() - interval '1 hour' where hour < $1 and stale_since > now() - interval '10 minutes'`,
      [end],
    )
    const { rows } = await this.#system.pool.query<{ waits: boolean }>(
      `select exists (select from stale_hours where hour < $1) or exists (select from stale_sums where start < $1)
         or exists (select from counter_deltas where minute < $1) as waits`,
      [end],
    )
    return rows[0]?.waits === false
  }
}
