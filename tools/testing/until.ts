import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Resolves when the condition holds, checked every 20 ms.
 *
 * @param withinMs the timeout in milliseconds
 * @param what completes the message "waited 5 s in vain for …"
 * @throws if the condition does not hold in time
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
