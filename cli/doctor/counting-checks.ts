import { readBalance } from '@clicktally/database/balance.ts'
import { longestWaitSeconds, readFoldBacklog } from '@clicktally/database/fold-backlog.ts'
import { readKnownThrough } from '@clicktally/database/known-through.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import type { Kysely } from 'kysely'
import { type Finding, finding, grade } from './finding.ts'

/** Whether accepted clicks are counted, and how far the counts are behind. */
export async function checkCounting(db: Kysely<Tables>): Promise<readonly Finding[]> {
  const { knownAgeMs } = await readKnownThrough(db)
  const balance = await readBalance(db)
  const { unfolded, waitingSeconds, setAside } = await readFoldBacklog(db)
  const lagSeconds = Math.max(0, Math.round((knownAgeMs ?? 0) / 1_000))
  return [
    knownAgeMs === null
      ? finding('counts', 'problem', 'no processor has ever reported', 'Start a processor.')
      : finding(
          'counts',
          grade(lagSeconds, 10, 900),
          `${formatCount(lagSeconds)} s behind`,
          'Look at the queues below. If they are empty, a processor has ended while it held messages: start one.',
        ),
    finding(
      'overdue',
      grade(balance.overdue, 0, 0),
      `${formatCount(balance.overdue)} clicks`,
      '"balance" tells whether they are lost. If RabbitMQ still holds messages, restart the processors.',
    ),
    finding(
      'dead letters',
      grade(balance.dead, 0),
      `${formatCount(balance.dead)} clicks`,
      '"dead list" shows why; then "dead replay" or "dead discard".',
    ),
    finding(
      'folds',
      grade(waitingSeconds, longestWaitSeconds),
      `${formatCount(unfolded)} deltas wait, for at most ${formatCount(Math.round(waitingSeconds))} s`,
      'Counts are right but slow. The logs of the processors have the reason: "counters not folded".',
    ),
    finding(
      'set aside',
      grade(setAside, 0),
      `${formatCount(setAside)} deltas`,
      'The logs of the processors have the reason. "verify" compares the counters with the clicks.',
    ),
  ]
}
