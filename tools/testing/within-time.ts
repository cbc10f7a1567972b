/**
 * Limits how long a property runs, for `fc.asyncProperty`: runs that would begin after the limit are skipped.
 *
 * fast-check's `interruptAfterTimeLimit` returns while the current run continues: beside what follows it in the test, and with
 * its failure lost.
 *
 * @param limitMs from now on
 */
export function withinTime<Args extends unknown[]>(
  limitMs: number,
  run: (...args: Args) => Promise<void>,
): (...args: Args) => Promise<void> {
  const lastStartMs = performance.now() + limitMs
  return async (...args) => {
    if (performance.now() <= lastStartMs) await run(...args)
  }
}
