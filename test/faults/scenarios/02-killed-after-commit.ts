import { until } from '@clicktally/testing/until.ts'
import { preloading } from '../changed-service.ts'
import type { AddedProcessor } from '../fault-system.ts'
import type { Scenario } from '../stage.ts'

export const scenario: Scenario = {
  number: 2,
  title: 'killed between the commit and the acknowledgement',
  async run(stage) {
    const { system, short } = stage
    const crashes = short ? 3 : 100
    const regular = system.processors
    // Started without load: a processor that dies before it is ready for the first time counts as a failed start.
    const fragile = await Promise.all(
      Array.from({ length: short ? 2 : 4 }, () =>
        system.addProcessor({ variables: preloading('crash-after-commit'), longestWaitMs: 200 }),
      ),
    )
    const crashed = () => fragile.reduce((sum, { program }) => sum + program.restarts, 0)
    await stage.row(`killed between commit and ack, ${crashes} times`, async (breaking) => {
      // During the fault, only processors that will be killed count clicks.
      await Promise.all(regular.map((name) => system.program(name).stop()))
      const before = crashed()
      breaking.broken()
      try {
        await until(() => {
          stage.setStatus(`${crashed() - before} of ${crashes} processors killed after the commit`)
          return crashed() - before >= crashes
        }, `${crashes} crashes after a commit`)
      } finally {
        await Promise.all([
          ...regular.map((name) => system.program(name).start()),
          ...fragile.map((each: AddedProcessor) => each.remove()),
        ])
        breaking.restored()
      }
    })
  },
}
