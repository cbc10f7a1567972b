import { Counter, type Registry } from 'prom-client'

/** Metrics of the background work at /metrics. */
export class FoldMetrics {
  readonly #failures: Counter

  constructor(registry: Registry) {
    this.#failures = new Counter({
      name: 'clicktally_fold_failures_total',
      help: 'Failed folds of the counters, and deltas set aside because they could not be added to a counter.',
      labelNames: ['outcome'],
      registers: [registry],
    })
    for (const outcome of ['failed', 'set_aside']) this.#failures.inc({ outcome }, 0)
  }

  /** `failed`: the whole fold, which will be retried. `set_aside`: one delta, for an hour. */
  foldFailed(outcome: 'failed' | 'set_aside'): void {
    this.#failures.inc({ outcome })
  }
}
