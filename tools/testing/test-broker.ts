import { randomBytes } from 'node:crypto'
import { brokerDefinitions } from '@clicktally/broker/definitions.ts'
import { assertKeysTopology } from '@clicktally/broker/keys-topology.ts'
import { assertLiveTopology } from '@clicktally/broker/live-topology.ts'
import { manage as callManagement, type ManagementMethod } from '@clicktally/broker/management.ts'
import { assertTopology, topology } from '@clicktally/broker/topology.ts'
import type { BrokerUser } from '@clicktally/system/parts.ts'
import { type ConfirmChannel, connect } from 'amqplib'
import { inject, onTestFinished } from 'vitest'

/** A virtual host for one test, with methods to inspect and change it. */
export interface TestBroker {
  readonly url: string
  /** A channel for the test itself. The topology is declared. */
  readonly channel: ConfirmChannel
  /** Calls RabbitMQ's management API. `{vhost}` in the path stands for this virtual host. */
  manage(method: ManagementMethod, path: string, body?: object): Promise<unknown>
  /** The URL for a new user with the rights that this user has in production. */
  urlAs(user: BrokerUser): Promise<string>
  /** The number of ready messages in a queue. */
  depth(queue?: string): Promise<number>
  /** Closes every connection to this virtual host from the server's side, except the test's own. */
  closeConnections(): Promise<void>
}

/** Creates a virtual host that is removed after the test. */
export async function createTestBroker(): Promise<TestBroker> {
  const { amqpUrl, managementUrl } = inject('servers')
  const { username } = new URL(amqpUrl)
  const vhost = `test-${randomBytes(6).toString('hex')}`
  const access = { managementUrl, brokerUrl: amqpUrl }
  const manage: TestBroker['manage'] = (method, path, body) =>
    callManagement(access, method, path.replaceAll('{vhost}', vhost), body)
  await manage('PUT', '/vhosts/{vhost}')
  await manage('PUT', `/permissions/{vhost}/${username}`, { configure: '.*', write: '.*', read: '.*' })
  const url = new URL(amqpUrl)
  url.pathname = `/${vhost}`
  const own = await connect(url.href, { noDelay: true, clientProperties: { connection_name: 'test' } })
  own.on('error', () => {})
  const channel = await own.createConfirmChannel()
  channel.on('error', () => {})
  await assertTopology(channel)
  await assertKeysTopology(channel)
  await assertLiveTopology(channel)
  onTestFinished(async () => {
    await own.close().catch(() => {})
    await manage('DELETE', '/vhosts/{vhost}')
  })
  const urls = new Map<BrokerUser, Promise<string>>()
  const createUser = async (name: BrokerUser) => {
    const { permissions } = brokerDefinitions(() => '') as {
      permissions: { user: string; configure: string; write: string; read: string }[]
    }
    const rights = permissions.find(({ user }) => user === name)
    const own = { username: `${name}-${vhost}`, password: randomBytes(12).toString('hex') }
    await manage('PUT', `/users/${own.username}`, { password: own.password, tags: '' })
    onTestFinished(async () => {
      await manage('DELETE', `/users/${own.username}`)
    })
    await manage('PUT', `/permissions/{vhost}/${own.username}`, rights)
    return Object.assign(new URL(url), own).href
  }
  return {
    url: url.href,
    channel,
    manage,
    urlAs: (user) => {
      const url = urls.get(user) ?? createUser(user)
      urls.set(user, url)
      return url
    },
    depth: async (queue = topology.queue) => (await channel.checkQueue(queue)).messageCount,
    closeConnections: async () => {
      const connections = (await manage('GET', '/vhosts/{vhost}/connections')) as {
        name: string
        client_properties?: { connection_name?: string }
      }[]
      for (const { name, client_properties } of connections) {
        if (client_properties?.connection_name !== 'test')
          await manage('DELETE', `/connections/${encodeURIComponent(name)}`)
      }
    },
  }
}
