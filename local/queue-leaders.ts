import type { Watch } from './supervised-program.ts'

/** A management API of RabbitMQ, and a user that may see the queues. */
export interface ManagementAccess {
  readonly port: number
  readonly user: string
  readonly password: string
}

interface Queue {
  readonly name: string
  readonly members?: readonly string[]
  readonly leader?: string | null
}

/** A single node elects a leader in well under a second, and the API's figures are up to 5 s old. */
const lookEveryMs = 5_000
const looksWithoutLeader = 3
const answerWithinMs = 4_000

/**
 * Has RabbitMQ started again when one of its quorum queues has no leader in three looks in a row. The log of the queues can
 * fail while the rest of the broker goes on (a disk error is enough), and nothing but a restart of the node brings them back.
 * An API that does not answer is no evidence.
 */
export function watchLeaders({ port, user, password }: ManagementAccess): Watch {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  let looks = 0
  return {
    everyMs: lookEveryMs,
    async whyUnfit() {
      const response = await fetch(`http://127.0.0.1:${port}/api/queues?columns=name,members,leader`, {
        headers: { authorization, connection: 'close' },
        signal: AbortSignal.timeout(answerWithinMs),
      })
      if (!response.ok) throw new Error(`the management API answers ${response.status}`)
      const queues = (await response.json()) as Queue[]
      const leaderless = queues.filter(({ members, leader }) => (members?.length ?? 0) > 0 && !leader)
      looks = leaderless.length > 0 ? looks + 1 : 0
      if (looks < looksWithoutLeader) return undefined
      looks = 0
      return `no leader for ${leaderless.map(({ name }) => `"${name}"`).join(', ')}`
    },
  }
}
