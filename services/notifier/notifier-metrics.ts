import type { Tables } from '@clicktally/database/tables.ts'
import { CachedReading } from '@clicktally/telemetry/cached-reading.ts'
import { type Kysely, sql } from 'kysely'
import { Counter, Gauge, type Registry } from 'prom-client'

interface Reading {
  readonly enabled: number
  readonly failing: number
  readonly disabled: number
  readonly undelivered: number
  /** Seconds since 1970. Null if there are no thresholds. */
  readonly judgedThrough: number | null
}

/** Metrics of webhooks and thresholds. The gauges are read from the database at a scrape, and absent while it does not answer. */
export function notifierMetrics(db: Kysely<Tables>, registry: Registry) {
  const attempts = new Counter({
    name: 'clicktally_webhook_attempts_total',
    help: 'Requests to webhooks, by what became of them.',
    labelNames: ['outcome'],
    registers: [registry],
  })
  for (const outcome of ['delivered', 'failed']) attempts.inc({ outcome }, 0)
  const reading = new CachedReading(() => readState(db))
  new Gauge({
    name: 'clicktally_webhooks',
    help: 'Webhooks by state. failing: enabled, and the latest attempt of a delivery failed. disabled: because it kept failing.',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      this.reset()
      const state = await reading.get()
      if (state === undefined) return
      this.set({ state: 'enabled' }, state.enabled)
      this.set({ state: 'failing' }, state.failing)
      this.set({ state: 'disabled' }, state.disabled)
    },
  })
  new Gauge({
    name: 'clicktally_webhook_undelivered',
    help: 'Events that wait for their delivery, or were given up.',
    registers: [registry],
    async collect() {
      this.reset()
      const state = await reading.get()
      if (state !== undefined) this.set(state.undelivered)
    },
  })
  new Gauge({
    name: 'clicktally_thresholds_judged_through_timestamp_seconds',
    help: 'Every threshold has been judged for the minutes before this time. Absent without thresholds.',
    registers: [registry],
    async collect() {
      this.reset()
      const state = await reading.get()
      if (state?.judgedThrough != null) this.set(state.judgedThrough)
    },
  })
  return { attempted: (outcome: 'delivered' | 'failed') => attempts.inc({ outcome }) }
}

async function readState(db: Kysely<Tables>): Promise<Reading> {
  const { rows } = await sql<Reading>`
    select
      count(*) filter (where disabled_at is null) as enabled,
      count(*) filter (where disabled_at is null and exists (
        select from webhook_deliveries
        where webhook_id = webhooks.id and attempts > 0 and next_attempt_at is not null and last_error is not null)) as failing,
      count(*) filter (where disabled_because in ('failing', 'gone')) as disabled,
      (select count(*) from webhook_deliveries where delivered_at is null) as undelivered,
      (select extract(epoch from min(judged_through))::float8 from thresholds) as "judgedThrough"
    from webhooks`.execute(db)
  return rows[0] as Reading
}
