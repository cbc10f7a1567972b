import type { KeyRing } from '@clicktally/keys/key-ring.ts'
import { Gauge, type Registry } from 'prom-client'

/** Registers the age of the newest key snapshot, computed at each scrape. */
export function keyMetrics(ring: KeyRing, registry: Registry): void {
  const registers = [registry]
  new Gauge({
    name: 'clicktally_key_snapshot_age_seconds',
    help: 'Age of the newest key snapshot; NaN before the first. A snapshot is published every 15 s.',
    registers,
    collect() {
      this.set(ring.publishedAtMs === undefined ? Number.NaN : (Date.now() - ring.publishedAtMs) / 1_000)
    },
  })
}
