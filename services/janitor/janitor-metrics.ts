import { CachedReading } from '@clicktally/telemetry/cached-reading.ts'
import type { Pool } from 'pg'
import { Counter, Gauge, type Registry } from 'prom-client'

interface LatestRun {
  readonly succeeded_at: Date | null
  readonly has_failed: boolean
}

/** Metrics of the janitor at /metrics. When a run last succeeded is in the database, so it outlives the process. */
export class JanitorMetrics {
  readonly #archived: Counter
  readonly #removed: Counter
  readonly #waiting: Gauge

  /** @param everyMs the interval of runs */
  constructor(registry: Registry, pool: Pool, everyMs: number) {
    const registers = [registry]
    const latest = new CachedReading(async () => {
      const { rows } = await pool.query<LatestRun>(
        'select succeeded_at, failure is not null as has_failed from janitor_runs',
      )
      return rows[0]
    })
    new Gauge({
      name: 'clicktally_janitor_succeeded_timestamp_seconds',
      help: 'When a run of the janitor last succeeded, of any process. Absent if none ever did.',
      registers,
      async collect() {
        this.remove()
        const at = (await latest.get())?.succeeded_at
        if (at != null) this.set(at.getTime() / 1_000)
      },
    })
    new Gauge({
      name: 'clicktally_janitor_failed',
      help: '1 if the latest run of the janitor failed.',
      registers,
      async collect() {
        this.remove()
        const run = await latest.get()
        if (run !== undefined) this.set(run.has_failed ? 1 : 0)
      },
    })
    new Gauge({
      name: 'clicktally_janitor_interval_seconds',
      help: 'Time between two runs of the janitor.',
      registers,
    }).set(everyMs / 1_000)
    this.#archived = new Counter({
      name: 'clicktally_clicks_archived_total',
      help: 'Raw clicks that were archived, read back and compared.',
      registers,
    })
    this.#removed = new Counter({
      name: 'clicktally_clicks_removed_total',
      help: 'Archived raw clicks that were deleted, without those of dropped partitions.',
      registers,
    })
    this.#waiting = new Gauge({
      name: 'clicktally_archives_waiting',
      help: 'Archives whose raw clicks could not be removed at the latest run, because hours of theirs are not packed or a backup reads them.',
      registers,
    })
  }

  archived(clicks: number): void {
    this.#archived.inc(clicks)
  }

  removed(clicks: number): void {
    this.#removed.inc(clicks)
  }

  waiting(archives: number): void {
    this.#waiting.set(archives)
  }
}
