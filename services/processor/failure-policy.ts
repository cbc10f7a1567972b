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
 * | wait              | everything else: connection refused, lost, silent;         | try again with back-off; after some seconds    |
 * |                   | lock or statement timeout, deadlock, disk full, missing    | hand the messages back, and try again with one |
 * |                   | table or right                                             | at a time, for as long as it takes             |
 *
 * Whatever is not certainly the click's own fault is waited out: a click in the dead letters needs a person. But the waiting
 * is done in the queue. What a processor holds, nobody else can count, and RabbitMQ takes it back after its consumer_timeout,
 * which counts towards the delivery limit.
 */
export function verdictOn(error: unknown): 'partition_missing' | 'refused' | 'wait' {
  const state = sqlStateOf(error)
  if (state === '23514' && /no partition of relation/.test((error as Error).message)) return 'partition_missing'
  return state !== undefined && /^(22|23|44|54)|^P0001$/.test(state) ? 'refused' : 'wait'
}

/** The database could not be written to for so long that the messages are better handed back. */
export class DatabaseAway extends Error {}

/** Milliseconds to wait before the next attempt, the first being number 1: 50 ms doubling to 2 s, with jitter. */
export function backoffMs(attempt: number): number {
  return Math.min(2_000, 50 * 2 ** Math.min(attempt - 1, 10)) * (0.75 + Math.random() / 2)
}

/**
 * Retries until it succeeds.
 *
 * @throws {DatabaseAway} when an attempt fails after `giveUpAfterMs`, which by default never happens
 * @throws when it is abandoned
 */
export async function persist(
  act: () => Promise<void>,
  abandoned: AbortSignal,
  logger: Logger,
  giveUpAfterMs: number = Infinity,
): Promise<void> {
  const startedAtMs = performance.now()
  for (let attempt = 1; ; attempt += 1) {
    abandoned.throwIfAborted()
    try {
      return await act()
    } catch (error) {
      if (performance.now() - startedAtMs > giveUpAfterMs) throw databaseAway(error)
      logger.warn({ err: error, attempt }, 'not available, waiting')
      await sleep(backoffMs(attempt), undefined, { signal: abandoned })
    }
  }
}

export function databaseAway(cause: unknown): DatabaseAway {
  return new DatabaseAway('the database could not be written to for a while', { cause })
}
