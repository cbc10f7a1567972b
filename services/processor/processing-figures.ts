import { Counter, Histogram, type Registry } from 'prom-client'

/** The figures of this process at /metrics. They start at 0 with it. */
export class ProcessingFigures {
  readonly #clicks: Counter
  readonly #dead: Counter
  readonly #batchClicks: Histogram
  readonly #batchSeconds: Histogram
  readonly #foldFailures: Counter

  constructor(registry: Registry) {
    const registers = [registry]
    this.#clicks = new Counter({
      name: 'clicktally_clicks_processed_total',
      help: 'Clicks by what became of them: counted, or duplicate.',
      labelNames: ['outcome'],
      registers,
    })
    this.#dead = new Counter({
      name: 'clicktally_clicks_dead_total',
      help: 'Clicks put into the dead letters, by reason.',
      labelNames: ['reason'],
      registers,
    })
    this.#batchClicks = new Histogram({
      name: 'clicktally_batch_clicks',
      help: 'Clicks written in one transaction.',
      buckets: [1, 5, 10, 50, 100, 500, 1000, 2000, 5000],
      registers,
    })
    this.#batchSeconds = new Histogram({
      name: 'clicktally_batch_duration_seconds',
      help: 'Time of the transaction that writes a batch.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10],
      registers,
    })
    this.#foldFailures = new Counter({
      name: 'clicktally_fold_failures_total',
      help: 'Folds of the counters that failed, and deltas that were set aside because they could not be added to a counter.',
      labelNames: ['outcome'],
      registers,
    })
    for (const outcome of ['failed', 'set_aside']) this.#foldFailures.inc({ outcome }, 0)
  }

  counted(counted: number, duplicates: number, seconds: number): void {
    this.#clicks.inc({ outcome: 'counted' }, counted)
    this.#clicks.inc({ outcome: 'duplicate' }, duplicates)
    this.#batchClicks.observe(counted + duplicates)
    this.#batchSeconds.observe(seconds)
  }

  dead(reason: string, clicks: number): void {
    this.#dead.inc({ reason }, clicks)
  }

  /** `failed`: all of it, to be tried again. `set_aside`: one delta, for an hour. */
  foldFailed(outcome: 'failed' | 'set_aside'): void {
    this.#foldFailures.inc({ outcome })
  }
}
