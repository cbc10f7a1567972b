import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { brokerDefinitions } from '@clicktally/broker/definitions.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type RunningRabbitmq, rabbitmqctl, startRabbitmq } from '@clicktally/local/servers/rabbitmq.ts'
import { onTestFinished } from 'vitest'

/** A node of a cluster. */
export interface ClusterNode {
  /** Such as clicktally-1@localhost. */
  readonly name: string
  /** As the operator, with the password. */
  readonly url: string
  readonly managementUrl: string
  /** Kills the node, which stays down. */
  kill(): Promise<void>
  /** Stops the node without closing its connections, as when its machine hangs. */
  pause(): void
  resume(): void
}

export interface BrokerCluster {
  readonly nodes: readonly ClusterNode[]
  /** The URL with all nodes in it. */
  readonly url: string
  /** Adds members on all nodes to the queues, which the first node has created alone, as doctor advises. */
  growQueues(): Promise<void>
}

/** Starts a cluster of RabbitMQ nodes on this machine, which takes half a minute and 150 MB each, and stops it after the test. */
export async function createBrokerCluster(size: number): Promise<BrokerCluster> {
  const dir = await makeScratchFolder('cluster')
  const password = randomBytes(12).toString('hex')
  const shared = { cookie: randomBytes(32).toString('hex'), definitions: brokerDefinitions(() => password) }
  const running: RunningRabbitmq[] = []
  onTestFinished(async () => {
    // The first node has the port mapper of all.
    for (const { server, stop } of running.toReversed()) {
      server.signal('SIGCONT')
      await stop()
    }
    await rm(dir, { recursive: true, force: true })
  })
  for (let number = 1; number <= size; number += 1) {
    const nodeName = `clicktally-${number}`
    const [first] = running
    const node = await startRabbitmq({
      ...{ ...shared, dir: join(dir, nodeName), nodeName },
      ...(first !== undefined && { beside: first }),
    })
    running.push(node)
    if (first === undefined) continue
    for (const args of [['stop_app'], ['reset'], ['join_cluster', first.nodeName], ['start_app']]) {
      await rabbitmqctl(node.server, args)
    }
  }
  const nodes = running.map((node) => nodeOf(node, password))
  return {
    nodes,
    url: `amqp://operator:${password}@${running.map(({ amqpPort }) => `127.0.0.1:${amqpPort}`).join(',')}`,
    async growQueues() {
      const [first, ...others] = running
      for (const { nodeName } of others) {
        await rabbitmqctl((first as RunningRabbitmq).server, ['grow', nodeName, 'all'], 'rabbitmq-queues')
      }
    },
  }
}

function nodeOf({ nodeName: name, amqpPort, managementPort, server }: RunningRabbitmq, password: string): ClusterNode {
  return {
    name,
    url: `amqp://operator:${password}@127.0.0.1:${amqpPort}`,
    managementUrl: `http://127.0.0.1:${managementPort}`,
    async kill() {
      server.kill()
      await server.stop()
    },
    pause: () => void server.signal('SIGSTOP'),
    resume: () => void server.signal('SIGCONT'),
  }
}
