import { type ManagementAccess, ManagementError, manage } from '@clicktally/broker/management.ts'
import { topology } from '@clicktally/broker/topology.ts'

/** Messages at the broker, by its management API, whose figures are up to 5 s old. */
export interface BrokerView {
  /** In the click queue, not delivered. */
  readonly ready: number
  /** Delivered to a processor, not acknowledged. */
  readonly unacknowledged: number
  /** Dead-lettered by the broker, on their way to the database. */
  readonly dead: number
}

interface Queue {
  messages_ready?: number
  messages_unacknowledged?: number
  messages?: number
  /** Of a quorum queue. */
  members?: readonly string[]
  leader?: string | null
}

const timeoutMs = 10_000

/** Returns what the broker holds, or a sentence that says why this is unknown. A queue that does not exist holds nothing. */
export async function readBrokerView(access: ManagementAccess): Promise<BrokerView | string> {
  try {
    const [clicks, dead] = await Promise.all([readQueue(access, topology.queue), readQueue(access, topology.deadQueue)])
    // The numbers are from before it lost its leader.
    if (clicks.members !== undefined && !clicks.leader) return `the queue "${topology.queue}" is down: it has no leader`
    return {
      ready: clicks.messages_ready ?? 0,
      unacknowledged: clicks.messages_unacknowledged ?? 0,
      dead: dead.messages ?? 0,
    }
  } catch (error) {
    const api = `its management API at ${new URL(access.managementUrl).host}`
    if (error instanceof ManagementError) return `${api} answers ${error.status}`
    const { message, cause } = error as Error
    const reason = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : message
    return `${api} gives no answer: ${reason}`
  }
}

async function readQueue(access: ManagementAccess, queue: string): Promise<Queue> {
  const vhost = decodeURIComponent(new URL(access.brokerUrl).pathname.slice(1)) || '/'
  const path = `/queues/${encodeURIComponent(vhost)}/${encodeURIComponent(queue)}`
  try {
    return (await manage({ ...access, timeoutMs }, 'GET', path)) as Queue
  } catch (error) {
    if (error instanceof ManagementError && error.status === 404) return {}
    throw error
  }
}
