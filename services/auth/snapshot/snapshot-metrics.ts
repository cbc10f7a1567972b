import { Gauge, type Registry } from 'prom-client'
import type { SnapshotPublisher } from './snapshot-publisher.ts'

/** Exports when the keys were last published. */
export function snapshotMetrics(publisher: Pick<SnapshotPublisher, 'publishedAtMs'>, registry: Registry): void {
  new Gauge({
    name: 'clicktally_key_snapshot_published_timestamp_seconds',
    help: 'When the broker last confirmed a key snapshot; NaN before the first. A snapshot is published every 15 s.',
    registers: [registry],
    collect() {
      this.set(publisher.publishedAtMs === undefined ? Number.NaN : publisher.publishedAtMs / 1_000)
    },
  })
}
