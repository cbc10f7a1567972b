import { FaultStage } from './fault-stage.ts'
import type { Findings } from './findings.ts'
import { insist } from './insist.ts'
import { miscounted } from './oracle.ts'
import type { Row, Scenario } from './stage.ts'
import type { SystemUnderTest } from './system-under-test.ts'

export interface SuiteOptions<System extends SystemUnderTest> {
  readonly system: System
  readonly scenarios: readonly Scenario<System>[]
  readonly short: boolean
  /** Words in the names of the rows to run; undefined runs all. */
  readonly rows?: readonly string[] | undefined
  /** Where results are put, as they come. */
  readonly findings: Findings
  readonly onRow: (row: Row) => void
  readonly onStage: (stage: FaultStage<System>) => void
}

/** Runs the scenarios one after the other on the same system. */
export async function runSuite<System extends SystemUnderTest>({
  system,
  scenarios,
  short,
  rows,
  findings,
  onRow,
  onStage,
}: SuiteOptions<System>): Promise<void> {
  const stage = new FaultStage({ system, short, rows, findings, onRow })
  onStage(stage)
  for (const scenario of scenarios) {
    try {
      await stage.play(scenario)
    } catch (error) {
      findings.current.failures.push(`${scenario.number} ${scenario.title} failed: ${(error as Error).message}`)
    }
  }
  // Each row checks its own targets once it has settled. This finds later changes.
  const off = await insist(() => miscounted(system.pool))
  if (off !== 0)
    findings.current.failures.push(
      `at the end of the run, the counters of all targets differ from their clicks by ${off}`,
    )
}
