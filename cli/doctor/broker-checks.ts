import { keysTopology } from '@clicktally/broker/keys-topology.ts'
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

/** The broker's nodes and queues. */
export async function checkBroker(access: ManagementAccess): Promise<readonly Finding[]> {
  const vhost = decodeURIComponent(new URL(access.brokerUrl).pathname.slice(1)) || '/'
  const get = async <Answer>(path: string) => (await manage({ ...access, timeoutMs }, 'GET', path)) as Answer
  const { rabbitmq_version: version } = await get<{ rabbitmq_version: string }>('/overview')
  const nodes = await get<Node[]>('/nodes')
  const queues = await get<Queue[]>(`/queues/${encodeURIComponent(vhost)}`)
  const running = nodes.filter((node) => node.running).length
  return [
    finding(
      'RabbitMQ',
      Number.parseInt(version, 10) >= 4 ? 'ok' : 'notice',
      version,
      'Versions before 4 get no security updates from RabbitMQ itself, only from the distribution.',
    ),
    finding(
      'nodes',
      running < nodes.length || nodes.some(({ partitions = [] }) => partitions.length > 0) ? 'problem' : 'ok',
      `${running} of ${nodes.length} run`,
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
    checkKeys(queues.find(({ name }) => name === keysTopology.stream)),
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

function checkQueue(name: string, queue: Queue | undefined, nodes: number): Finding {
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
  if (members.length < Math.min(3, nodes)) {
    return finding(check, 'notice', found, 'Add members on the other nodes: rabbitmq-queues grow <node> all')
  }
  const isSuspect = name !== topology.queue
  const advice = isSuspect
    ? 'Messages of crashed processors are written one by one. See the logs of the processors.'
    : 'Start more processors.'
  return finding(check, grade(ready, isSuspect ? 0 : 100_000), found, advice)
}

function checkKeys(stream: Queue | undefined): Finding {
  return finding(
    'stream of keys',
    stream === undefined ? 'problem' : 'ok',
    stream === undefined ? 'is missing' : 'exists',
    'Start auth: it declares the stream. Until then ingests learn of no new key.',
  )
}
