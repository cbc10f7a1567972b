import { randomBytes } from 'node:crypto'
import { brokerDefinitions } from '@clicktally/broker/definitions.ts'
import { assertTopology, topology } from '@clicktally/broker/topology.ts'
import { type ConfirmChannel, connect } from 'amqplib'
import { inject, onTestFinished } from 'vitest'

/** A virtual host of the test's own, and a hand in it. */
export interface TestBroker {
  readonly url: string
  /** A channel of the test's own; the topology is declared. */
  readonly channel: ConfirmChannel
  /** Calls RabbitMQ's management API below /api; `{vhost}` in the path is this one. */
  manage(method: string, path: string, body?: object): Promise<unknown>
  /** For a user with the rights that this service has in production, in this virtual host. */
  urlAs(service: 'ingest' | 'processor'): Promise<string>
  /** Messages in a queue that no consumer holds. */
  depth(queue?: string): Promise<number>
  /** Closes every connection to this virtual host from the server's side, but the test's own. */
  closeConnections(): Promise<void>
}

/** A broker of the test's own, removed when the test is over. */
export async function createTestBroker(): Promise<TestBroker> {
  const { amqpUrl, managementUrl } = inject('servers')
  const { username, password } = new URL(amqpUrl)
  const vhost = `test-${randomBytes(6).toString('hex')}`
  const authorization = `Basic ${Buffer.from(`${username}:${decodeURIComponent(password)}`).toString('base64')}`
  const manage = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`${managementUrl}/api${path.replaceAll('{vhost}', vhost)}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
  await manage('PUT', '/vhosts/{vhost}')
  await manage('PUT', `/permissions/{vhost}/${username}`, { configure: '.*', write: '.*', read: '.*' })
  const url = new URL(amqpUrl)
  url.pathname = `/${vhost}`
  const own = await connect(url.href, { noDelay: true, clientProperties: { connection_name: 'test' } })
  own.on('error', () => {})
  const channel = await own.createConfirmChannel()
  channel.on('error', () => {})
  await assertTopology(channel)
  onTestFinished(async () => {
    await own.close().catch(() => {})
    await manage('DELETE', '/vhosts/{vhost}')
  })
  const users: { [service in 'ingest' | 'processor']?: Promise<string> } = {}
  const makeUser = async (service: 'ingest' | 'processor') => {
    const { permissions } = brokerDefinitions({ ingest: '', processor: '', operator: '' }) as {
      permissions: { user: string; configure: string; write: string; read: string }[]
    }
    const rights = permissions.find(({ user }) => user === service)
    const own = { username: `${service}-${vhost}`, password: randomBytes(12).toString('hex') }
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
    urlAs: (service) => {
      users[service] ??= makeUser(service)
      return users[service]
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
