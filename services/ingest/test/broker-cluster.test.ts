import { setTimeout as sleep } from 'node:timers/promises'
import { manage } from '@clicktally/broker/management.ts'
import { topology } from '@clicktally/broker/topology.ts'
import { decodeMessage } from '@clicktally/message/clicks-message.ts'
import { type BrokerCluster, type ClusterNode, createBrokerCluster } from '@clicktally/testing/broker-cluster.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { connect } from 'amqplib'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createIngest, type Ingest, post } from './ingest-under-test.ts'

/** Sends clicks one after the other, and notes which were accepted. */
function keepSending({ app }: Ingest) {
  const accepted: string[] = []
  let isOver = false
  const sending = (async () => {
    while (!isOver) {
      const { status, body } = await post(app, '/v1/events', { target: 't' })
      if (status === 202) accepted.push(body.id)
      else {
        expect(status).toBe(503)
        await sleep(10)
      }
    }
  })()
  const stop = async () => {
    isOver = true
    await sending
  }
  onTestFinished(stop)
  return { accepted, stop }
}

/** The node that ingest publishes to; `by` is a node that runs. */
async function nodeOfIngest({ nodes }: BrokerCluster, by: ClusterNode): Promise<ClusterNode> {
  const access = { managementUrl: by.managementUrl, brokerUrl: by.url }
  return await vi.waitFor(async () => {
    const connections = (await manage(access, 'GET', '/connections')) as {
      node: string
      client_properties?: { connection_name?: string }
    }[]
    const own = connections.filter(
      ({ client_properties }) => client_properties?.connection_name === 'clicktally ingest',
    )
    expect(own).toHaveLength(1)
    return nodes.find(({ name }) => name === own[0]?.node) as ClusterNode
  }, patience)
}

async function takeAllIds(url: string): Promise<string[]> {
  const connection = await connect(url)
  const channel = await connection.createChannel()
  const ids: string[] = []
  for (;;) {
    const message = await channel.get(topology.queue, { noAck: true })
    if (message === false) break
    if (message.content.length === 0) continue
    ids.push(...decodeMessage(message.properties.type, message.content).clicks.map(({ id }) => id))
  }
  await connection.close()
  return ids
}

test('ingest goes on at another node when its own is silent or killed, and nothing that was answered 202 is lost', async () => {
  const cluster = await createBrokerCluster(3)
  await cluster.growQueues()
  const [anyNode] = cluster.nodes as [ClusterNode]
  const ingest = createIngest(cluster.url, { confirmWithinMs: 4_000 })
  await ingest.ready()
  const { accepted, stop } = keepSending(ingest)
  const acceptsAgain = async () => {
    const before = accepted.length
    await vi.waitFor(() => expect(accepted.length).toBeGreaterThan(before + 50), patience)
  }
  await acceptsAgain()

  const silent = await nodeOfIngest(cluster, anyNode)
  silent.pause()
  await vi.waitFor(() => expect(ingest.publisher.isReady).toBe(false), patience)
  await acceptsAgain()
  silent.resume()

  // Only one node may be away at a time.
  const running = cluster.nodes.filter((node) => node !== silent)
  await vi.waitFor(async () => {
    for (const { url, managementUrl } of running) {
      const queue = (await manage({ brokerUrl: url, managementUrl }, 'GET', `/queues/%2F/${topology.queue}`)) as {
        online?: string[]
      }
      expect(queue.online).toHaveLength(3)
    }
  }, patience)
  // Perhaps the one that was silent: while its return is noticed, confirms may take too long at any node.
  const killed = await nodeOfIngest(cluster, running[0] as ClusterNode)
  await killed.kill()
  await acceptsAgain()
  await stop()

  const survivor = cluster.nodes.find((node) => node !== killed) as ClusterNode
  const stored = new Set(await takeAllIds(survivor.url))
  expect(accepted.filter((id) => !stored.has(id))).toEqual([])
})
