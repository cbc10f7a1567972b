import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Verdict } from './queue/failure-policy.ts'

/** What the metrics need of a consumer. */
export interface ObservedConsumer {
  readonly isConsuming: boolean
  readonly unackedMessages: number
  /** Milliseconds since 1970; undefined if it holds nothing. */
  readonly oldestUnackedMs: number | undefined
}

/** Metrics of the queue side at /metrics. They start at 0 with the process. */
export class ProcessingMetrics {
  readonly #clicks: Counter
  readonly #dead: Counter
  readonly #batchClicks: Histogram
  readonly #batchSeconds: Histogram
  readonly #batchFailures: Counter
  readonly #ageSeconds: Histogram

  constructor(registry: Registry) {
    const registers = [registry]
    this.#clicks = new Counter({
      name: 'clicktally_clicks_processed_total',
      help: 'Processed clicks by outcome: counted or duplicate.',
      labelNames: ['outcome'],
      registers,
    })
    this.#dead = new Counter({
      name: 'clicktally_clicks_dead_total',
      help: 'Clicks moved to the dead letters, by reason.',
      labelNames: ['reason'],
      registers,
    })
    this.#batchClicks = new Histogram({
      name: 'clicktally_batch_clicks',
      help: 'Clicks per transaction.',
      buckets: [1, 5, 10, 50, 100, 500, 1000, 2000, 5000],
      registers,
    })
    this.#batchSeconds = new Histogram({
      name: 'clicktally_batch_duration_seconds',
      help: 'Duration of the transaction that writes a batch.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10],
      registers,
    })
    this.#batchFailures = new Counter({
      name: 'clicktally_batch_failures_total',
      help: 'Failed attempts to write a batch. wait: it is retried. partition_missing: the partition is created. refused: it is divided.',
      labelNames: ['verdict'],
      registers,
    })
    for (const verdict of ['wait', 'partition_missing', 'refused']) this.#batchFailures.inc({ verdict }, 0)
    this.#ageSeconds = new Histogram({
      name: 'clicktally_click_age_seconds',
      help: 'Time from the receipt of the newest click of a message, by the clock of ingest, to the commit that counts it.',
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3_600],
      registers,
    })
  }

  /** Exports the state of the consumers, by their queues, read at each scrape. */
  watch(consumers: Readonly<Record<string, ObservedConsumer>>, registry: Registry): void {
    const gauge = (name: string, help: string, read: (consumer: ObservedConsumer) => number) =>
      new Gauge({
        name,
        help,
        labelNames: ['queue'],
        registers: [registry],
        collect() {
          for (const [queue, consumer] of Object.entries(consumers)) this.set({ queue }, read(consumer))
        },
      })
    gauge('clicktally_consuming', '1 while this process consumes the queue.', ({ isConsuming }) =>
      isConsuming ? 1 : 0,
    )
    gauge(
      'clicktally_unacked_messages',
      'Messages that this process holds and has not acknowledged.',
      ({ unackedMessages }) => unackedMessages,
    )
    gauge(
      'clicktally_oldest_click_age_seconds',
      'Age of the oldest click that this process holds; 0 if it holds none. The maximum over all processors is the age of the oldest click in the queue.',
      ({ oldestUnackedMs }) => (oldestUnackedMs === undefined ? 0 : Math.max(0, Date.now() - oldestUnackedMs) / 1_000),
    )
  }

  failed(verdict: Verdict): void {
    this.#batchFailures.inc({ verdict })
  }

  /** @param receivedThroughMs when the newest click of a message was received, milliseconds since 1970 */
  messageCounted(receivedThroughMs: number): void {
    this.#ageSeconds.observe(Math.max(0, Date.now() - receivedThroughMs) / 1_000)
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
}
