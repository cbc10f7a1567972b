import type { Scenario } from '@clicktally/faults/stage.ts'
import type { ClusterSystem } from '../cluster-system.ts'
import { outlast, survive } from '../outage.ts'

export const scenario: Scenario<ClusterSystem> = {
  number: 4,
  title: 'services killed, silent',
  async run(stage) {
    const { project } = stage.system
    await stage.row('each ingest killed in turn', async (breaking) => {
      for (const instance of [1, 2]) {
        const ingest = project.container('ingest', instance)
        await outlast(stage, breaking, {
          what: 'an ingest is started again',
          ...project.killed(ingest),
          forMs: 5_000,
        })
      }
    })
    await stage.row('each processor killed in turn', async (breaking) => {
      for (const instance of [1, 2]) {
        const processor = project.container('processor', instance)
        await survive(stage, breaking, {
          what: 'a processor is killed',
          ...project.killed(processor),
          forMs: 5_000,
        })
      }
    })
    await stage.row('a processor silent (paused)', async (breaking) => {
      const processor = project.container('processor', 1)
      await survive(stage, breaking, {
        what: 'a processor falls silent',
        ...project.silent(processor),
        forMs: 40_000,
      })
    })
    await stage.row('one of each other service killed', async (breaking) => {
      const others = ['api', 'auth', 'notifier', 'janitor', 'nginx'].map((service) => project.container(service))
      await survive(stage, breaking, {
        what: 'the other services are killed',
        ...project.killed(...others),
        forMs: 5_000,
      })
    })
  },
}
