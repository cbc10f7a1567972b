import { FaultStage } from './fault-stage.ts'
import type { FaultSystem } from './fault-system.ts'
import { Findings } from './findings.ts'
import { miscounted } from './oracle.ts'
import type { Row, Scenario } from './stage.ts'

export interface SuiteOptions {
  readonly system: FaultSystem
  readonly scenarios: readonly Scenario[]
  readonly short: boolean
  readonly onRow: (row: Row) => void
  readonly onStage: (stage: FaultStage) => void
}

/** Runs the scenarios one after the other on the same system, and returns the findings. */
export async function runSuite({ system, scenarios, short, onRow, onStage }: SuiteOptions): Promise<Findings> {
  const findings = new Findings()
  const stage = new FaultStage({ system, short, findings, onRow })
  onStage(stage)
  for (const scenario of scenarios) {
    try {
      await stage.play(scenario)
    } catch (error) {
      findings.failures.push(`${scenario.number} ${scenario.title} failed: ${(error as Error).message}`)
    }
  }
  // Each row checks its own targets once it has settled. This finds later changes.
  const off = await miscounted(system.pool)
  if (off !== 0) findings.failures.push(`at the end, the counters of all targets differ from their clicks by ${off}`)
  return findings
}
