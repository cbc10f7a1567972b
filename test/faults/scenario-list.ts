import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { FaultSystem } from './fault-system.ts'
import type { Scenario } from './stage.ts'
import type { SystemUnderTest } from './system-under-test.ts'

/** Loads all scenarios, ordered by number: each file of the folder exports one. */
export async function loadScenarios<System extends SystemUnderTest = FaultSystem>(
  folder: string = join(import.meta.dirname, 'scenarios'),
): Promise<Scenario<System>[]> {
  const files = (await readdir(folder)).filter((file) => /^\d\d-.*\.ts$/.test(file))
  const modules = await Promise.all(
    files.map(async (file) => (await import(join(folder, file))) as { scenario: Scenario<System> }),
  )
  return modules.map(({ scenario }) => scenario).sort((one, other) => one.number - other.number)
}
