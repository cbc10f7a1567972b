import { Gauge, type Registry } from 'prom-client'
import type { ReplicaWatch } from './replica-watch.ts'

/** Without a replica neither metric has a value. */
export function replicaMetrics(watch: Pick<ReplicaWatch, 'lagMs' | 'isCurrent'> | undefined, registry: Registry): void {
  const registers = [registry]
  new Gauge({
    name: 'clicktally_replica_lag_seconds',
    help: 'How far the replica that the api reads is behind the primary. Absent while it does not answer.',
    registers,
    collect() {
      this.remove()
      if (watch?.lagMs !== undefined) this.set(watch.lagMs / 1_000)
    },
  })
  new Gauge({
    name: 'clicktally_replica_used',
    help: '1 while counts are read from the replica; 0 while the primary is read, because the replica is behind or does not answer.',
    registers,
    collect() {
      this.remove()
      if (watch !== undefined) this.set(watch.isCurrent ? 1 : 0)
    },
  })
}
