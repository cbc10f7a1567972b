import type { Scenario } from '@clicktally/faults/stage.ts'
import type { ClusterSystem } from '../cluster-system.ts'

export const scenario: Scenario<ClusterSystem> = {
  number: 6,
  title: 'every node restarted, one after the other',
  async run(stage) {
    const { system } = stage
    await stage.row('rolling restart of every node', async (breaking) => {
      breaking.broken()
      for (const container of await system.project.containers()) {
        stage.setStatus(`restarts ${container}`)
        // As `docker compose restart` does.
        await system.project.docker(['restart', '--time', '30', container])
        await system.whole()
      }
      breaking.restored()
      await breaking.recovered()
    })
  },
}
