import type { Reporter, TestModule } from 'vitest/node'

/** Ends the run with one line, `N passed, N failed`, that a person and a program can read. */
export class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0
    let failed = errors.length
    let skipped = 0
    for (const module of modules) {
      // A file that can't be loaded has no tests to fail.
      if (module.errors().length > 0) failed += 1
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed += 1
        else if (state === 'failed') failed += 1
        else skipped += 1
      }
    }
    const line = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
    // After what the other reporters and the teardown have to say.
    process.once('exit', () => process.stdout.write(`${line}\n`))
  }
}
