import type { RejectionCode } from '@clicktally/event/click-rejection.ts'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { SenderAccess } from './access/sender-access.ts'
import { type ClickPublisher, refusals } from './publishing/click-publisher.ts'

/** The metrics of this process. They start at 0 with the process; the balance is kept in the database. */
export class ClickMetrics {
  readonly #accepted: Counter
  readonly #rejected: Counter
  readonly #followed: Counter
  readonly #groupClicks: Histogram
  readonly #confirmSeconds: Histogram

  constructor(registry: Registry) {
    const registers = [registry]
    this.#accepted = new Counter({ name: 'clicktally_clicks_accepted_total', help: 'Clicks answered 202.', registers })
    this.#rejected = new Counter({
      name: 'clicktally_clicks_rejected_total',
      help: 'Rejected events, by the rule they broke.',
      labelNames: ['code'],
      registers,
    })
    this.#followed = new Counter({
      name: 'clicktally_links_followed_total',
      help: 'Redirects of links, by what became of the click when the visitor was sent on.',
      labelNames: ['outcome'],
      registers,
    })
    for (const outcome of ['accepted', 'not_confirmed', 'lost']) this.#followed.inc({ outcome }, 0)
    this.#groupClicks = new Histogram({
      name: 'clicktally_group_clicks',
      help: 'Clicks in one message.',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
      registers,
    })
    this.#confirmSeconds = new Histogram({
      name: 'clicktally_confirm_duration_seconds',
      help: 'Time from publishing a message to its confirm.',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 4],
      registers,
    })
  }

  accepted(clicks: number): void {
    this.#accepted.inc(clicks)
  }

  rejected(code: RejectionCode): void {
    this.#rejected.inc({ code })
  }

  followed(outcome: 'accepted' | 'not_confirmed' | 'lost'): void {
    this.#followed.inc({ outcome })
  }

  confirmed(clicks: number, seconds: number): void {
    this.#groupClicks.observe(clicks)
    this.#confirmSeconds.observe(seconds)
  }

  /** Exports the state of the publishers, by the name of their cell, and whether there are keys, read at each scrape. */
  watch(publishers: ReadonlyMap<string, ClickPublisher>, access: SenderAccess, registry: Registry): void {
    const registers = [registry]
    const sum = (figure: (publisher: ClickPublisher) => number) =>
      publishers.values().reduce((total, publisher) => total + figure(publisher), 0)
    new Gauge({
      name: 'clicktally_held_clicks',
      help: 'Clicks that are waiting for a confirm.',
      registers,
      collect() {
        this.set(sum(({ heldClicks }) => heldClicks))
      },
    })
    new Gauge({
      name: 'clicktally_held_bytes',
      help: 'Size of the clicks that are waiting for a confirm.',
      registers,
      collect() {
        this.set(sum(({ heldBytes }) => heldBytes))
      },
    })
    new Gauge({
      name: 'clicktally_refusing_clicks',
      help: '1 while clicks for this cell are refused with 503 for this reason.',
      labelNames: ['reason', 'cell'],
      registers,
      collect() {
        for (const [cell, publisher] of publishers) {
          this.set({ reason: 'no_keys', cell }, access.isReady ? 0 : 1)
          for (const reason of refusals) this.set({ reason, cell }, publisher.refusal === reason ? 1 : 0)
        }
      },
    })
    new Gauge({
      name: 'clicktally_broker_connected',
      help: '1 while the broker of this cell is connected and accepts messages.',
      labelNames: ['cell'],
      registers,
      collect() {
        for (const [cell, { isReady }] of publishers) this.set({ cell }, isReady ? 1 : 0)
      },
    })
  }
}
