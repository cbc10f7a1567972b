import type { Scenario } from '@clicktally/faults/stage.ts'
import type { ClusterSystem } from '../cluster-system.ts'
import { together } from '../fault.ts'
import { outlast, survive } from '../outage.ts'

export const scenario: Scenario<ClusterSystem> = {
  number: 5,
  title: 'two nodes fail at the same time',
  async run(stage) {
    const { system } = stage
    const { project } = system
    await stage.row('RabbitMQ leader and primary killed', async (breaking) => {
      const [leader = ''] = await system.brokers()
      const [primary = ''] = await system.databases()
      await survive(stage, breaking, {
        what: 'the leader of the queue and the primary of PostgreSQL are lost',
        ...project.killed(leader, primary),
        forMs: 45_000,
      })
    })
    await stage.row('primary and a member of etcd killed', async (breaking) => {
      const [primary = ''] = await system.databases()
      const member = project.container('etcd')
      await survive(stage, breaking, {
        what: 'the primary of PostgreSQL and a member of etcd are lost',
        ...project.killed(primary, member),
        forMs: 45_000,
      })
    })
    await stage.row('RabbitMQ leader and a processor silent', async (breaking) => {
      const [leader = ''] = await system.brokers()
      const processor = project.container('processor', 1)
      await survive(stage, breaking, {
        what: 'the leader of the queue and a processor fall silent',
        ...project.silent(leader, processor),
        forMs: 40_000,
      })
    })
    await stage.row('two of three RabbitMQ nodes killed', async (breaking) => {
      const [leader = '', follower = ''] = await system.brokers()
      await outlast(stage, breaking, {
        what: 'the majority of RabbitMQ was away, from when it is started',
        ...project.killed(leader, follower),
        forMs: 15_000,
      })
    })
    await stage.row('primary killed, standby cut off', async (breaking) => {
      const [primary = '', synchronous = ''] = await system.databases()
      await outlast(stage, breaking, {
        what: 'the primary was lost and its synchronous standby cut off, from when they are back',
        ...together(project.cutOff(synchronous), project.killed(primary)),
        forMs: 40_000,
      })
    })
    await stage.row('primary and synchronous standby killed', async (breaking) => {
      const [primary = '', synchronous = ''] = await system.databases()
      await outlast(stage, breaking, {
        what: 'the primary and its synchronous standby were away, from when they are started',
        ...project.killed(primary, synchronous),
        forMs: 40_000,
      })
    })
  },
}
