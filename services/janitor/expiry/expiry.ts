import type { PoolClient } from 'pg'
import type { Logger } from 'pino'

/** After how many days records are removed. */
export interface Ages {
  /** The content of dead letters that were resolved. */
  readonly deadLetterDays: number
  readonly auditLogDays: number
  /** Finished producers of the ledger. */
  readonly producerDays: number
}

/**
 * Removes what has become too old of dead letters, audit log, keys, sessions and ledger. The functions in the database have lower limits of
 * their own.
 *
 * Progress rows are not removed by age: one stands for messages that a processor held, until another has made sure that they are
 * counted, which then removes it (decision 0013).
 */
export async function expireRecords(
  client: PoolClient,
  ages: Ages,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const expire = async (call: string, ...days: number[]) => {
    let all = 0
    for (let expired = -1; expired !== 0; all += expired) {
      signal.throwIfAborted()
      const { rows } = await client.query<{ expired: number }>(`select ${call} as expired`, days)
      expired = rows[0]?.expired ?? 0
    }
    return all
  }
  const expired = {
    deadLetters: await expire('expire_dead_letters(make_interval(days => $1))', ages.deadLetterDays),
    auditLog: await expire('expire_audit_log(make_interval(days => $1))', ages.auditLogDays),
    producers: await expire('expire_producers(make_interval(days => $1))', ages.producerDays),
    sessions: await expire('expire_sessions()'),
    keys: await expire('expire_keys()'),
  }
  if (Object.values(expired).some((count) => count > 0)) logger.info(expired, 'old records removed')
}
