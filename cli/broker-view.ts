import { topology } from '@clicktally/broker/topology.ts'
import type { SystemAccess } from './system-access.ts'

/** Messages at the broker, by its management API, whose figures are up to 5 s old. */
export interface BrokerView {
  /** In the queue for clicks, with no processor. */
  readonly ready: number
  /** Handed to a processor, which has not acknowledged them. */
  readonly unacknowledged: number
  /** Given up by the broker, on their way to the dead letters in the database. */
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

const withinMs = 10_000

/** What the broker holds, or in one sentence why that is not known. A queue that does not exist holds nothing. */
export async function readBrokerView(
  access: Pick<SystemAccess, 'brokerUrl' | 'managementUrl'>,
): Promise<BrokerView | string> {
  try {
    const [clicks, dead] = await Promise.all([readQueue(access, topology.queue), readQueue(access, topology.deadQueue)])
    // Its figures are those from before it lost its leader.
    if (clicks.members !== undefined && !clicks.leader) return `the queue "${topology.queue}" is down: it has no leader`
    return {
      ready: clicks.messages_ready ?? 0,
      unacknowledged: clicks.messages_unacknowledged ?? 0,
      dead: dead.messages ?? 0,
    }
  } catch (error) {
    const { message, cause } = error as Error
    const reason = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : message
    return `its management API at ${new URL(access.managementUrl).host} gives no answer: ${reason}`
  }
}

async function readQueue(
  { brokerUrl, managementUrl }: Pick<SystemAccess, 'brokerUrl' | 'managementUrl'>,
  queue: string,
): Promise<Queue> {
  const { username, password, pathname } = new URL(brokerUrl)
  const vhost = decodeURIComponent(pathname.slice(1)) || '/'
  const base = managementUrl.replace(/\/$/, '')
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const response = await fetch(`${base}/api/queues/${encodeURIComponent(vhost)}/${encodeURIComponent(queue)}`, {
    headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
    signal: AbortSignal.timeout(withinMs),
  })
  if (response.status === 404) return {}
  if (!response.ok) throw new Error(`it answers ${response.status}`)
  return (await response.json()) as Queue
}
