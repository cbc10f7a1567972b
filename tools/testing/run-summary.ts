import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Reporter, TestModule } from 'vitest/node'

/** What a run of tests came to. */
export interface RunSummary {
  readonly passed: number
  /** Tests, files that cannot be loaded, and errors outside of tests. */
  readonly failed: number
  readonly skipped: number
  /** The files of what failed, relative to the working directory. Undefined if the file of a failure is unknown. */
  readonly failedFiles: readonly string[] | undefined
}

/** A line that people and programs can read: `N passed, N failed`. */
export function closingLine({ passed, failed, skipped }: RunSummary): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** Writes a RunSummary to a file. */
export class SummaryReporter implements Reporter {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0
    let failed = errors.length
    let skipped = 0
    // vitest notes on an error outside of tests which file was running.
    const files = new Set(errors.map((error) => (error as { VITEST_TEST_PATH?: string }).VITEST_TEST_PATH))
    for (const module of modules) {
      if (module.state() === 'failed') files.add(module.moduleId)
      // A file that cannot be loaded counts as failed, because it has no tests.
      if (module.errors().length > 0) failed += 1
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed += 1
        else if (state === 'failed') failed += 1
        else skipped += 1
      }
    }
    const known = [...files].filter((file) => file !== undefined)
    const failedFiles =
      known.length < files.size ? undefined : known.map((file) => relative(process.cwd(), file)).sort()
    writeFileSync(this.#path, JSON.stringify({ passed, failed, skipped, failedFiles } satisfies RunSummary))
  }
}
