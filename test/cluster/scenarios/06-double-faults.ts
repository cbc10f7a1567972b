import type { Scenario } from '@clicktally/faults/stage.ts'
import type { ClusterSystem } from '../cluster-system.ts'
import { outlast, survive } from '../outage.ts'

export const scenario: Scenario<ClusterSystem> = {
  number: 6,
  title: 'two nodes fail at the same time',
  async run(stage) {
    const { system } = stage
    const { project } = system
    await stage.row('RabbitMQ leader and primary killed', async (breaking) => {
      const [leader = ''] = await system.brokers()
      const [primary = ''] = await system.databases()
      await survive(stage, breaking, {
        what: 'the leader of the queue and the primary of PostgreSQL are lost',
        begin: () => project.kill(leader, primary),
        end: () => project.start(leader, primary),
        forMs: 45_000,
      })
    })
    await stage.row('primary and a member of etcd killed', async (breaking) => {
      const [primary = ''] = await system.databases()
      const member = project.container('etcd')
      await survive(stage, breaking, {
        what: 'the primary of PostgreSQL and a member of etcd are lost',
        begin: () => project.kill(primary, member),
        end: () => project.start(primary, member),
        forMs: 45_000,
      })
    })
    await stage.row('RabbitMQ leader and a processor silent', async (breaking) => {
      const [leader = ''] = await system.brokers()
      const processor = project.container('processor', 1)
      await survive(stage, breaking, {
        what: 'the leader of the queue and a processor fall silent',
        begin: () => project.pause(leader, processor),
        end: () => project.resume(leader, processor),
        forMs: 40_000,
      })
    })
    await stage.row('two of three RabbitMQ nodes killed', async (breaking) => {
      const [leader = '', follower = ''] = await system.brokers()
      await outlast(stage, breaking, {
        what: 'the majority of RabbitMQ was away, from when it is started',
        begin: () => project.kill(leader, follower),
        end: () => project.start(leader, follower),
        forMs: 15_000,
      })
    })
    await stage.row('primary and synchronous standby killed', async (breaking) => {
      const [primary = '', synchronous = ''] = await system.databases()
      await outlast(stage, breaking, {
        what: 'the primary and its synchronous standby were away, from when they are started',
        begin: () => project.kill(primary, synchronous),
        end: () => project.start(primary, synchronous),
        forMs: 40_000,
      })
    })
  },
}
