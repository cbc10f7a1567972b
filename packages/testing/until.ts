import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Resolves when the condition holds, asked every 20 ms.
 *
 * @param what completes the sentence "Waited so long for …"
 * @throws when it does not hold in that time, in milliseconds.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs: number,
  what: string,
  everyMs = 20,
): Promise<void> {
  const deadlineMs = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${Math.round(withinMs / 1_000)} s in vain for ${what}`)
    await sleep(everyMs)
  }
}
