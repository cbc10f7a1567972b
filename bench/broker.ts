import { type Channel, type ChannelModel, connect } from 'amqplib'

/** The operator's hand at the broker. */
export class Broker {
  readonly #amqpUrl: string
  readonly #managementUrl: string
  readonly #connections = new Map<string, Promise<ChannelModel>>()

  constructor(amqpUrl: string, managementUrl: string) {
    this.#amqpUrl = amqpUrl
    this.#managementUrl = managementUrl
  }

  /** For the operator, in this virtual host. */
  urlOf(vhost: string): string {
    const url = new URL(this.#amqpUrl)
    url.pathname = `/${encodeURIComponent(vhost)}`
    return url.href
  }

  /** Makes a virtual host in which the operator may do anything. */
  async makeVhost(vhost: string): Promise<void> {
    const { username } = new URL(this.#amqpUrl)
    await this.manage('PUT', `/vhosts/${encodeURIComponent(vhost)}`)
    const everything = { configure: '.*', write: '.*', read: '.*' }
    await this.manage('PUT', `/permissions/${encodeURIComponent(vhost)}/${username}`, everything)
  }

  /** Messages in a queue that no consumer holds. */
  async depth(queue: string, vhost = '/'): Promise<number> {
    return await this.withChannel(vhost, async (channel) => (await channel.checkQueue(queue)).messageCount)
  }

  async purge(queue: string, vhost = '/'): Promise<void> {
    await this.withChannel(vhost, async (channel) => await channel.purgeQueue(queue))
  }

  async withChannel<Result>(vhost: string, act: (channel: Channel) => Promise<Result>): Promise<Result> {
    const connection = await this.#connection(vhost)
    const channel = await connection.createChannel()
    channel.on('error', () => {})
    try {
      return await act(channel)
    } finally {
      // One that the broker has closed is closed.
      await channel.close().catch(() => {})
    }
  }

  /** Calls RabbitMQ's management API below /api. */
  async manage(method: string, path: string, body?: object): Promise<unknown> {
    const { username, password } = new URL(this.#amqpUrl)
    const credentials = Buffer.from(`${username}:${decodeURIComponent(password)}`).toString('base64')
    const response = await fetch(`${this.#managementUrl}/api${path}`, {
      method,
      headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  async close(): Promise<void> {
    const connections = [...this.#connections.values()]
    this.#connections.clear()
    await Promise.all(connections.map(async (connection) => await (await connection).close()).map(ignoreFailure))
  }

  /** One connection for each virtual host, made anew when it has ended. */
  #connection(vhost: string): Promise<ChannelModel> {
    const open = this.#connections.get(vhost)
    if (open !== undefined) return open
    const opening = connect(this.urlOf(vhost), {
      noDelay: true,
      timeout: 5_000,
      clientProperties: { connection_name: 'bench' },
    })
    this.#connections.set(vhost, opening)
    const forget = () => {
      if (this.#connections.get(vhost) === opening) this.#connections.delete(vhost)
    }
    opening.then((connection) => {
      connection.on('error', () => {})
      connection.on('close', forget)
    }, forget)
    return opening
  }
}

function ignoreFailure(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch(() => {})
}
