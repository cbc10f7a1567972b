import { setTimeout as sleep } from 'node:timers/promises'
import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { Logger } from 'pino'

export type Verdict = 'partition_missing' | 'refused' | 'wait'

/**
 * What a database error means for the batch that was being written.
 *
 * | verdict           | when                                                       | what is done                                   |
 * |-------------------|------------------------------------------------------------|------------------------------------------------|
 * | partition_missing | 23514, "no partition of relation"                          | create the partitions, retry                   |
 * | refused           | data exception (22…), integrity (23…), raised by a         | split until the bad click is alone; it goes to |
 * |                   | trigger (P0001), a value too large (54…), with check (44…) | the dead letters                               |
 * | wait              | everything else: connection refused, lost or timed out;    | retry with backoff; after some seconds hand    |
 * |                   | lock or statement timeout, deadlock, disk full, missing    | the messages back, then retry one at a time    |
 * |                   | table or privilege                                         | without limit                                  |
 *
 * A dead letter needs a person, so only an error that is certainly caused by the click leads there; everything else is retried.
 * Messages wait in the queue rather than in a processor: no other processor can count what one holds, and RabbitMQ would requeue
 * it after its consumer_timeout, which counts towards the delivery limit.
 */
export function verdictOn(error: unknown): Verdict {
  const state = sqlStateOf(error)
  if (state === '23514' && /no partition of relation/.test((error as Error).message)) return 'partition_missing'
  return state !== undefined && /^(22|23|44|54)|^P0001$/.test(state) ? 'refused' : 'wait'
}

/** The database has been unavailable for so long that the messages should be handed back. */
export class DatabaseUnavailable extends Error {}

/** Milliseconds to wait before the next attempt, the first being number 1: 50 ms doubling to 2 s, with jitter. */
export function backoffMs(attempt: number): number {
  return Math.min(2_000, 50 * 2 ** Math.min(attempt - 1, 10)) * (0.75 + Math.random() / 2)
}

/**
 * Retries until it succeeds.
 *
 * @throws {DatabaseUnavailable} when an attempt fails after `giveUpAfterMs`, which by default never happens
 * @throws when `abandoned` is aborted
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
      if (performance.now() - startedAtMs > giveUpAfterMs) throw databaseUnavailable(error)
      logger.warn({ err: error, attempt }, 'database not available, will retry')
      await sleep(backoffMs(attempt), undefined, { signal: abandoned })
    }
  }
}

export function databaseUnavailable(cause: unknown): DatabaseUnavailable {
  return new DatabaseUnavailable('the database has been unavailable for too long', { cause })
}
