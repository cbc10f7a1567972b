import { setTimeout as sleep } from 'node:timers/promises'
import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { Logger } from 'pino'

/**
 * What an error of the database means for the batch that met it.
 *
 * | verdict           | when                                                       | what is done                                   |
 * |-------------------|------------------------------------------------------------|------------------------------------------------|
 * | partition_missing | 23514, "no partition of relation"                          | make the partitions, write again               |
 * | refused           | data exception (22…), integrity (23…), raised by a         | split until the bad click is alone; it goes to |
 * |                   | trigger (P0001), a value too large (54…), with check (44…) | the dead letters                               |
 * | away              | connection refused, lost, silent (no SQLSTATE); 08…, 28…,  | the same as wait, but after some seconds give  |
 * |                   | shut down or starting (57P0…)                              | the batch back: another processor may reach it |
 * | wait              | everything else: lock or statement timeout, deadlock, disk | keep the batch, try again with back-off, for   |
 * |                   | full, missing table or right                               | as long as it takes                            |
 *
 * Whatever is not surely the click's own fault is waited out: a click in the dead letters needs a person.
 */
export function verdictOn(error: unknown): 'partition_missing' | 'refused' | 'away' | 'wait' {
  const state = sqlStateOf(error)
  if (state === '23514' && /no partition of relation/.test((error as Error).message)) return 'partition_missing'
  if (state === undefined || /^(08|28|57P0)/.test(state)) return 'away'
  return /^(22|23|44|54)|^P0001$/.test(state) ? 'refused' : 'wait'
}

/** Milliseconds to wait before the next attempt, the first being number 1: 50 ms doubling to 2 s, with jitter. */
export function backoffMs(attempt: number): number {
  return Math.min(2_000, 50 * 2 ** Math.min(attempt - 1, 10)) * (0.75 + Math.random() / 2)
}

/** Does it until it succeeds. @throws when it is abandoned. */
export async function persist(act: () => Promise<void>, abandoned: AbortSignal, logger: Logger): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    abandoned.throwIfAborted()
    try {
      return await act()
    } catch (error) {
      logger.warn({ err: error, attempt }, 'not available, waiting')
      await sleep(backoffMs(attempt), undefined, { signal: abandoned })
    }
  }
}
