import type { Scenario } from '@clicktally/faults/stage.ts'
import type { ClusterSystem } from '../cluster-system.ts'
import { survive } from '../outage.ts'

/** Longer than Patroni's ttl of 20 s, after which the standby becomes the primary. */
const failoverMs = 45_000

export const scenario: Scenario<ClusterSystem> = {
  number: 2,
  title: 'PostgreSQL: the primary or a standby killed, silent, cut off; switchover',
  async run(stage) {
    const { system } = stage
    const { project } = system
    await stage.row('PostgreSQL: switchover', async (breaking) => {
      for (let round = 0; round < (stage.short ? 1 : 3); round += 1) {
        await survive(stage, breaking, {
          what: 'a switchover of PostgreSQL begins',
          begin: () => system.switchOver(),
          forMs: 0,
        })
      }
    })
    await stage.row('PostgreSQL: primary killed, restarted', async (breaking) => {
      const [primary = ''] = await system.databases()
      const killed = project.killed(primary)
      await survive(stage, breaking, {
        what: 'the primary of PostgreSQL is killed, and restarted at once',
        begin: async () => {
          await killed.begin()
          await killed.end?.()
        },
        forMs: 0,
      })
    })
    await stage.row('PostgreSQL: primary killed, stays away', async (breaking) => {
      const [primary = ''] = await system.databases()
      await survive(stage, breaking, {
        what: 'the primary of PostgreSQL is lost',
        ...project.killed(primary),
        forMs: failoverMs,
      })
    })
    await stage.row('PostgreSQL: primary silent (paused)', async (breaking) => {
      const [primary = ''] = await system.databases()
      await survive(stage, breaking, {
        what: 'the primary of PostgreSQL falls silent',
        ...project.silent(primary),
        forMs: failoverMs,
      })
    })
    await stage.row('PostgreSQL: primary cut off', async (breaking) => {
      const [primary = ''] = await system.databases()
      await survive(stage, breaking, {
        what: 'the primary of PostgreSQL is cut off',
        ...project.cutOff(primary),
        forMs: failoverMs,
      })
    })
    await stage.row('PostgreSQL: synchronous standby killed', async (breaking) => {
      const [, synchronous = ''] = await system.databases()
      await survive(stage, breaking, {
        what: 'the synchronous standby is lost',
        ...project.killed(synchronous),
        forMs: 20_000,
      })
    })
    await stage.row('PostgreSQL: synchronous standby silent', async (breaking) => {
      const [, synchronous = ''] = await system.databases()
      await survive(stage, breaking, {
        what: 'the synchronous standby falls silent',
        ...project.silent(synchronous),
        forMs: failoverMs,
      })
    })
  },
}
