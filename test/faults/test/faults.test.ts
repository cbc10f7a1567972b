import { rm } from 'node:fs/promises'
import { makeScratchFolder } from '@clicktally/local/scratch-folder.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FaultStage } from '../fault-stage.ts'
import { FaultSystem } from '../fault-system.ts'
import { Findings } from '../findings.ts'
import { miscounted } from '../oracle.ts'
import { loadScenarios } from '../scenario-list.ts'

const scenarios = await loadScenarios()
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

/** The short form of `npm run test:faults`: the same scenarios, the same oracle, few repetitions, and no time asserted. */
describe('every accepted click is counted exactly once, whatever breaks', () => {
  test.each(scenarios)(
    '$number $title',
    async (scenario) => {
      const findings = new Findings()
      const stage = new FaultStage({ system, short: true, findings, onRow: () => {} })
      await stage.play(scenario)
      expect(findings.rows.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`))).toEqual(
        [],
      )
      expect(findings.rows.length).toBeGreaterThan(0)
    },
    // For what hangs, not for what is slow: a scenario takes up to half a minute on a quiet machine.
    900_000,
  )

  test('and at the end the counters of all targets are the number of their clicks', async () => {
    expect(await miscounted(system.pool)).toBe(0)
  })
})
