import type { Click } from '@clicktally/contract/click.ts'
import { timeOfUuidV7 } from '@clicktally/contract/uuid-v7.ts'
import type { Pool } from 'pg'
import { countClicks } from './sql/count-clicks.ts'

const dayMs = 86_400_000
/** Partitions are made this far back (72 h is the window) and ahead (24 h is what an id may be); others when a click needs them. */
const daysBack = 3
const daysAhead = 7

export interface Counted {
  /** Clicks that were new. */
  readonly counted: number
  /** Clicks whose id was there already. */
  readonly duplicates: number
}

/** The raw clicks and the counters. */
export class ClickStore {
  readonly #pool: Pool

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /**
   * Stores the clicks whose id is new and adds exactly those to the counters: one statement, so both or nothing.
   *
   * @throws what PostgreSQL said. After a lost connection it is not known whether the clicks were stored; storing them
   * again changes nothing.
   */
  async count(clicks: readonly Click[]): Promise<Counted> {
    // In the order of the key: two processors that insert the same ids in different orders would deadlock.
    const sorted = clicks.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : a.projectId - b.projectId))
    const { rows } = await this.#pool.query<{ counted: number }>({
      name: 'count-clicks',
      text: countClicks,
      values: [
        sorted.map(({ id }) => id),
        sorted.map(({ projectId }) => projectId),
        sorted.map(({ occurredAtMs }) => new Date(occurredAtMs).toISOString()),
        sorted.map(({ receivedAtMs }) => new Date(receivedAtMs).toISOString()),
        sorted.map(({ bot }) => bot === true),
        sorted.map(({ target }) => target),
        sorted.map(({ visitorId }) => visitorId ?? null),
        sorted.map(({ url }) => url ?? null),
        sorted.map(({ referrer }) => referrer ?? null),
        sorted.map(({ props }) => (props === undefined ? null : JSON.stringify(props))),
      ],
    })
    const counted = rows[0]?.counted ?? 0
    return { counted, duplicates: clicks.length - counted }
  }

  /** Makes the partitions that clicks of these days may need; does nothing where they are. */
  async makePartitionsAround(nowMs: number): Promise<void> {
    for (let day = -daysBack; day <= daysAhead; day += 1) await this.#makePartition(nowMs + day * dayMs)
  }

  /** Makes the partitions of these very clicks. */
  async makePartitionsFor(clicks: readonly Click[]): Promise<void> {
    const days = new Set(clicks.map(({ id }) => Math.floor(timeOfUuidV7(id) / dayMs)))
    for (const day of [...days].sort()) await this.#makePartition(day * dayMs)
  }

  /** Notes, for the click's receipt, that it will never be counted. */
  async noteDead(click: Click, reason: string, detail: string): Promise<void> {
    await this.#pool.query(
      `insert into dead_clicks (id, project_id, reason, detail) values ($1, $2, $3, $4)
       on conflict (id, project_id) do nothing`,
      [click.id, click.projectId, reason, detail],
    )
  }

  async #makePartition(timeMs: number): Promise<void> {
    await this.#pool.query('select create_click_partition($1::date)', [new Date(timeMs).toISOString().slice(0, 10)])
  }
}
