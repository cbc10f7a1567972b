import { setTimeout as sleep } from 'node:timers/promises'
import { patience } from './patience.ts'

/**
 * Resolves when the condition holds.
 *
 * @param what completes the message "waited 600 s in vain for …"
 * @param everyMs how often the condition is checked
 * @throws if the condition does not hold within the patience of a test
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  everyMs: number = patience.interval,
): Promise<void> {
  const deadlineMs = performance.now() + patience.timeout
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${patience.timeout / 1_000} s in vain for ${what}`)
    await sleep(everyMs)
  }
}
