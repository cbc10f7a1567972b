import type { Scenario } from '@clicktally/faults/stage.ts'
import type { ClusterSystem } from '../cluster-system.ts'
import { survive } from '../outage.ts'

export const scenario: Scenario<ClusterSystem> = {
  number: 3,
  title: 'etcd and HAProxy killed, silent, away',
  async run(stage) {
    const { project } = stage.system
    const etcds = ['etcd', 'etcd-2', 'etcd-3'].map((service) => project.container(service))
    await stage.row('etcd: each member killed in turn', async (breaking) => {
      for (const member of etcds) {
        await survive(stage, breaking, {
          what: 'a member of etcd is killed',
          ...project.killed(member),
          forMs: 10_000,
        })
      }
    })
    await stage.row('etcd: all members silent (paused)', async (breaking) => {
      await survive(stage, breaking, {
        what: 'etcd is away',
        ...project.silent(...etcds),
        forMs: 60_000,
      })
    })
    for (const [name, fault] of [
      ['killed', 'killed'],
      ['silent (paused)', 'silent'],
    ] as const) {
      await stage.row(`HAProxy: each ${name} in turn`, async (breaking) => {
        for (const proxy of ['haproxy', 'haproxy-2'].map((service) => project.container(service))) {
          await survive(stage, breaking, {
            what: fault === 'killed' ? 'an HAProxy is killed' : 'an HAProxy falls silent',
            ...project[fault](proxy),
            forMs: 20_000,
          })
        }
      })
    }
  },
}
