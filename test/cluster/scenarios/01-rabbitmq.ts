import type { Scenario } from '@clicktally/faults/stage.ts'
import type { ClusterSystem } from '../cluster-system.ts'
import { survive } from '../outage.ts'

/** Ports between nodes: of the port mapper and of Erlang's distribution. */
const nodePorts = [4_369, 25_672]
const accepting = { killed: 3_000, silent: 6_000 }

export const scenario: Scenario<ClusterSystem> = {
  number: 1,
  title: 'a RabbitMQ node killed, silent, cut off',
  async run(stage) {
    const { system } = stage
    const { project } = system
    await stage.row('RabbitMQ: each node killed in turn', async (breaking) => {
      for (const node of (await system.brokers()).reverse()) {
        await survive(stage, breaking, {
          what: 'a RabbitMQ node is killed',
          acceptingWithinMs: accepting.killed,
          ...project.killed(node),
          forMs: 5_000,
        })
      }
    })
    for (const [name, which] of [
      ['leader', 0],
      ['follower', 1],
    ] as const) {
      await stage.row(`RabbitMQ: ${name} silent (paused)`, async (breaking) => {
        const node = (await system.brokers())[which] ?? ''
        await survive(stage, breaking, {
          what: 'a RabbitMQ node falls silent',
          acceptingWithinMs: accepting.silent,
          ...project.silent(node),
          forMs: 40_000,
        })
      })
    }
    await stage.row('RabbitMQ: leader cut off from everything', async (breaking) => {
      const [leader = ''] = await system.brokers()
      await survive(stage, breaking, {
        what: 'a RabbitMQ node is cut off',
        acceptingWithinMs: accepting.silent,
        ...project.cutOff(leader),
        forMs: 40_000,
      })
    })
    await stage.row('RabbitMQ: leader cut off from the nodes', async (breaking) => {
      const [leader = ''] = await system.brokers()
      await survive(stage, breaking, {
        what: 'a RabbitMQ node is cut off from the others only',
        ...project.cutOff(leader, nodePorts),
        forMs: 40_000,
      })
    })
  },
}
