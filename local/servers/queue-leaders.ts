import { type ManagementAccess, manage } from '@clicktally/broker/management.ts'
import type { HealthCheck } from '../processes/supervised-program.ts'

interface Queue {
  readonly name: string
  readonly type?: string
  readonly leader?: string | null
}

/** A single node elects a leader in well under a second, and the API's figures are up to 5 s old. */
const checkEveryMs = 5_000
const checksWithoutLeader = 3
/** Five minutes for a queue that has had none since the start: it may recover gigabytes, and a kill would restart that. */
const checksBeforeFirstLeader = 60
const timeoutMs = 4_000

/**
 * Restarts RabbitMQ when one of its quorum queues had no leader in three checks in a row. The write-ahead log of the queues can
 * fail while the rest of the broker goes on (a disk error is enough), and only a restart of the node recovers from that. An API
 * that does not answer proves nothing: the broker may be starting.
 */
export function watchLeaders(access: ManagementAccess): HealthCheck {
  /** The number of checks in a row in which a queue had no leader. */
  const missed = new Map<string, number>()
  /** Queues that have had a leader since the API began to answer. */
  const led = new Set<string>()
  const check = async (): Promise<string | undefined> => {
    const queues = (await manage({ ...access, timeoutMs }, 'GET', '/queues?columns=name,type,leader')) as Queue[]
    for (const { name, type, leader } of queues) {
      // RabbitMQ 3 never names the leader of a stream.
      if (type !== 'quorum') continue
      if (leader) led.add(name)
      missed.set(name, leader ? 0 : (missed.get(name) ?? 0) + 1)
      const limit = led.has(name) ? checksWithoutLeader : checksBeforeFirstLeader
      if ((missed.get(name) ?? 0) >= limit) return `the queue "${name}" has no leader`
    }
    return undefined
  }
  const forget = () => {
    missed.clear()
    led.clear()
  }
  return {
    everyMs: checkEveryMs,
    async failure() {
      try {
        const reason = await check()
        if (reason !== undefined) forget()
        return reason
      } catch (error) {
        forget()
        throw error
      }
    },
  }
}
