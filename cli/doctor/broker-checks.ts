import { keysTopology } from '@clicktally/broker/keys-topology.ts'
import { liveTopology } from '@clicktally/broker/live-topology.ts'
import { type ManagementAccess, manage } from '@clicktally/broker/management.ts'
import { topology } from '@clicktally/broker/topology.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { type Finding, finding, grade } from './finding.ts'

interface Node {
  readonly name: string
  readonly running: boolean
  readonly mem_alarm?: boolean
  readonly disk_free_alarm?: boolean
  readonly disk_free?: number
  readonly disk_free_limit?: number
  readonly partitions?: readonly string[]
}

interface Queue {
  readonly name: string
  readonly type?: string
  readonly leader?: string | null
  readonly members?: readonly string[]
  readonly online?: readonly string[]
  readonly messages_ready?: number
  readonly consumers?: number
  readonly policy?: string | null
}

/** Statistics of the management API may be 5 s old. */
const timeoutMs = 10_000
const clickQueues = [topology.queue, topology.suspectQueue, topology.deadQueue]
/** The check, the stream, and what to do if it is missing. */
const streams = [
  [
    'stream of keys',
    keysTopology.stream,
    'Start auth: it declares the stream. Until then ingests learn of no new key.',
  ],
  [
    'stream of live clicks',
    liveTopology.stream,
    'Start a processor: it declares the stream. Until then /v1/live is silent.',
  ],
] as const
/** Enough to survive the loss of any node. More would only cost disk writes. */
const membersOfQueue = 3

/** The broker's nodes and queues. */
export async function checkBroker(access: ManagementAccess): Promise<readonly Finding[]> {
  const vhost = decodeURIComponent(new URL(access.brokerUrl).pathname.slice(1)) || '/'
  const get = async <Answer>(path: string) => (await manage({ ...access, timeoutMs }, 'GET', path)) as Answer
  const { rabbitmq_version: version } = await get<{ rabbitmq_version: string }>('/overview')
  const nodes = await get<Node[]>('/nodes')
  const queues = await get<Queue[]>(`/queues/${encodeURIComponent(vhost)}`)
  const running = nodes.filter((node) => node.running).map(({ name }) => name)
  return [
    finding(
      'RabbitMQ',
      Number.parseInt(version, 10) >= 4 ? 'ok' : 'notice',
      version,
      'Versions before 4 get no security updates from RabbitMQ itself, only from the distribution.',
    ),
    finding(
      'nodes',
      running.length < nodes.length || nodes.some(({ partitions = [] }) => partitions.length > 0) ? 'problem' : 'ok',
      `${running.length} of ${nodes.length} run`,
      'Start the others, and end a network partition: a queue needs the majority of its members.',
    ),
    ...nodes.filter((node) => node.running).flatMap(checkNode),
    ...clickQueues.map((name) =>
      checkQueue(
        name,
        queues.find((queue) => queue.name === name),
        running,
      ),
    ),
    ...streams.map(([check, name, advice]) =>
      checkStream(
        check,
        queues.find((queue) => queue.name === name),
        running,
        advice,
      ),
    ),
  ]
}

function checkNode(node: Node): Finding[] {
  const { name, disk_free: free = 0, disk_free_limit: limit = 0 } = node
  const mebibytes = (bytes: number) => `${formatCount(Math.round(bytes / 1024 ** 2))} MiB`
  return [
    finding(
      `disk of ${name}`,
      node.disk_free_alarm ? 'problem' : free < 2 * limit ? 'notice' : 'ok',
      `${mebibytes(free)} free; below ${mebibytes(limit)} clicks are refused`,
      'Free space or enlarge the disk.',
    ),
    finding(
      `memory of ${name}`,
      node.mem_alarm ? 'problem' : 'ok',
      node.mem_alarm ? 'above its limit: clicks are refused' : 'below its limit',
      'Let the processors catch up, or give the broker more memory.',
    ),
  ]
}

function checkQueue(name: string, queue: Queue | undefined, nodes: readonly string[]): Finding {
  const check = `queue ${name}`
  if (queue === undefined) return finding(check, 'problem', 'is missing', 'Start a processor: it declares the queue.')
  const { type, leader, members = [], online = [], messages_ready: ready = 0, consumers = 0, policy } = queue
  const found = [
    `${formatCount(ready)} messages`,
    `${consumers} consumers`,
    `${online.length} of ${members.length} members`,
    leader ? `leader ${leader}` : 'no leader',
  ].join(', ')
  if (type !== 'quorum')
    return finding(check, 'problem', `is a ${type} queue`, 'Clicks are safe only in a quorum queue.')
  if (!leader) return finding(check, 'problem', found, 'Start the other nodes. The queue accepts nothing meanwhile.')
  if (!policy) return finding(check, 'problem', `${found}, no policy`, 'Restart RabbitMQ: it imports its definitions.')
  if (consumers === 0)
    return finding(check, 'problem', found, 'Start a processor. One consumes only while the database answers.')
  if (online.length < members.length) return finding(check, 'notice', found, 'Start the nodes of the other members.')
  const missing = missingMembers(members, nodes)
  if (missing.length > 0) {
    const commands = missing.map((node) => `rabbitmq-queues grow ${node} all`)
    return finding(check, 'notice', found, `It does not survive the loss of a node. Run: ${commands.join('; ')}`)
  }
  const isSuspect = name !== topology.queue
  const advice = isSuspect
    ? 'Messages of crashed processors are written one by one. See the logs of the processors.'
    : 'Start more processors.'
  return finding(check, grade(ready, isSuspect ? 0 : 100_000), found, advice)
}

function checkStream(check: string, stream: Queue | undefined, nodes: readonly string[], advice: string): Finding {
  if (stream === undefined) return finding(check, 'problem', 'is missing', advice)
  const { name, members = [] } = stream
  const missing = missingMembers(members, nodes)
  const commands = missing.map((node) => `rabbitmq-streams add_replica ${name} ${node}`)
  return finding(
    check,
    missing.length > 0 ? 'notice' : 'ok',
    missing.length > 0 ? `${members.length} members` : 'exists',
    `It does not survive the loss of a node. Run: ${commands.join('; ')}`,
  )
}

/** The nodes on which a queue should have another member. */
function missingMembers(members: readonly string[], nodes: readonly string[]): string[] {
  const wanted = Math.min(membersOfQueue, nodes.length) - members.length
  return nodes.filter((node) => !members.includes(node)).slice(0, Math.max(0, wanted))
}
