import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scenario } from './stage.ts'

const folder = join(import.meta.dirname, 'scenarios')

/** Loads all scenarios, ordered by number: each file of scenarios/ exports one. */
export async function loadScenarios(): Promise<Scenario[]> {
  const files = (await readdir(folder)).filter((file) => /^\d\d-.*\.ts$/.test(file))
  const modules = await Promise.all(
    files.map(async (file) => (await import(join(folder, file))) as { scenario: Scenario }),
  )
  return modules.map(({ scenario }) => scenario).sort((one, other) => one.number - other.number)
}
