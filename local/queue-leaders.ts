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
/** Five minutes for a queue that has had none since the start: it may have gigabytes to recover, and a kill would begin that anew. */
const looksBeforeFirstLeader = 60
const answerWithinMs = 4_000

/**
 * Has RabbitMQ started again when one of its quorum queues has lost its leader for three looks in a row. The log of the queues can
 * fail while the rest of the broker goes on (a disk error is enough), and nothing but a restart of the node brings them back.
 * An API that does not answer is no evidence, and may be that of a broker that starts.
 */
export function watchLeaders({ port, user, password }: ManagementAccess): Watch {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  /** In how many looks in a row a queue had no leader; 0 where it had one. */
  const missed = new Map<string, number>()
  /** Queues that have had a leader since the API began to answer. */
  const led = new Set<string>()
  const look = async (): Promise<string | undefined> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/queues?columns=name,members,leader`, {
      headers: { authorization, connection: 'close' },
      signal: AbortSignal.timeout(answerWithinMs),
    })
    if (!response.ok) throw new Error(`the management API answers ${response.status}`)
    const queues = (await response.json()) as Queue[]
    for (const { name, members = [], leader } of queues) {
      if (members.length === 0) continue
      if (leader) led.add(name)
      missed.set(name, leader ? 0 : (missed.get(name) ?? 0) + 1)
      const limit = led.has(name) ? looksWithoutLeader : looksBeforeFirstLeader
      if ((missed.get(name) ?? 0) >= limit) return `the queue "${name}" has no leader`
    }
    return undefined
  }
  const forget = () => {
    missed.clear()
    led.clear()
  }
  return {
    everyMs: lookEveryMs,
    async whyUnfit() {
      try {
        const reason = await look()
        if (reason !== undefined) forget()
        return reason
      } catch (error) {
        forget()
        throw error
      }
    },
  }
}
