import type { Scenario } from '@clicktally/faults/stage.ts'
import { until } from '@clicktally/testing/until.ts'
import type { ClusterSystem } from '../cluster-system.ts'
import { outlast } from '../outage.ts'

/** Accepted by the single system. */
const clicksBefore = 3_000

export const scenario: Scenario<ClusterSystem> = {
  number: 0,
  title: 'a single system becomes a cluster, with its data',
  async run(stage) {
    const { system } = stage
    await stage.row('a single system becomes a cluster', async (breaking) => {
      await until(() => breaking.load.accepted >= clicksBefore, 'clicks to be accepted before')
      await stage.recordBalance('single system, under load')
      await outlast(stage, breaking, {
        what: 'a single system has become a cluster',
        begin: () => system.becomeCluster(),
        forMs: 0,
      })
    })
    await stage.recordBalance('the cluster that it became, at rest')
    // Also without this row: the other scenarios need a cluster.
    await system.becomeCluster()
  },
}
