import { rm } from 'node:fs/promises'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FaultStage } from '../fault-stage.ts'
import { FaultSystem } from '../fault-system.ts'
import { Findings } from '../findings.ts'
import { miscounted } from '../oracle.ts'
import { loadScenarios } from '../scenario-list.ts'

const groups = 3

/**
 * Tests a third of the scenarios on its own system: those whose number modulo 3 is `remainder`. A scenario mostly waits, so the
 * thirds run in parallel. This is the short form of `npm run test:faults`: the same scenarios and checks, fewer
 * repetitions, and no time limits.
 */
export async function testScenarios(remainder: number): Promise<void> {
  const scenarios = (await loadScenarios()).filter(({ number }) => number % groups === remainder)
  let dir: string
  let system: FaultSystem

  beforeAll(async () => {
    dir = await makeScratchFolder('faults')
    system = await FaultSystem.start({ dir, onLine: () => {} })
  })

  afterAll(async () => {
    await system?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  describe('every accepted click is counted exactly once, whatever fails', () => {
    test.each(scenarios)(
      '$number $title',
      async (scenario) => {
        const findings = new Findings()
        const stage = new FaultStage({ system, short: true, findings, onRow: () => {} })
        await stage.play(scenario)
        const problems = findings.rows.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`))
        expect(problems).toEqual([])
        expect(findings.rows.length).toBeGreaterThan(0)
      },
      // To stop tests that hang: several waits within a scenario may be long. On a quiet machine it takes up to 70 s.
      3 * patience.timeout,
    )

    test('at the end, the counters of all targets equal the number of their clicks', async () => {
      expect(await miscounted(system.pool)).toBe(0)
    })
  })
}
