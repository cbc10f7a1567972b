import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { patience } from '@clicktally/testing/patience.ts'
import { TcpProxy } from '@clicktally/testing/tcp-proxy.ts'
import { createTestBroker } from '@clicktally/testing/test-broker.ts'
import type { ChannelModel } from 'amqplib'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { BrokerLink, type BrokerLinkOptions } from '../broker-link.ts'

function createLink(url: string, options: Partial<BrokerLinkOptions> = {}) {
  const counts = { setUps: 0, downs: 0 }
  const link = new BrokerLink({
    url,
    name: 'link under test',
    logger: pino({ level: 'silent' }),
    ...options,
    setUp: async (model) => {
      counts.setUps += 1
      await options.setUp?.(model)
    },
    onDown: () => {
      counts.downs += 1
      options.onDown?.()
    },
  })
  onTestFinished(() => link.close())
  return { link, counts, isOpen: () => vi.waitFor(() => expect(link.isOpen).toBe(true), patience) }
}

/** A server that accepts connections and sends nothing. */
async function createSilentServer(): Promise<{ url: string; server: Server; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: `amqp://127.0.0.1:${(server.address() as AddressInfo).port}`, server, sockets }
}

describe('a link to the broker', () => {
  test('is open only after its set-up has finished', async () => {
    const broker = await createTestBroker()
    const done = Promise.withResolvers<void>()
    const { link, counts, isOpen } = createLink(broker.url, { setUp: () => done.promise })
    expect(link.isOpen).toBe(false)
    link.start()
    await vi.waitFor(() => expect(counts.setUps).toBe(1), patience)
    expect(link.isOpen).toBe(false)
    done.resolve()
    await isOpen()
    expect(counts).toEqual({ setUps: 1, downs: 0 })
  })

  test('reconnects when the broker closes its connection, each time with a new set-up', async () => {
    const broker = await createTestBroker()
    const { link, counts, isOpen } = createLink(broker.url)
    link.start()
    for (let round = 1; round <= 3; round += 1) {
      await isOpen()
      expect(counts.setUps).toBe(round)
      // The management plugin lists a connection some time after it was opened.
      await vi.waitFor(async () => {
        await broker.closeConnections()
        expect(counts.downs).toBe(round)
      }, patience)
    }
    await isOpen()
    expect(counts).toEqual({ setUps: 4, downs: 3 })
  })

  test('retries when its set-up fails, in any way', async () => {
    const broker = await createTestBroker()
    const failures = [
      () => Promise.reject(new Error('fails by itself')),
      async (model: ChannelModel) => {
        const channel = await model.createChannel()
        channel.on('error', () => {})
        await channel.checkQueue('there is no such queue')
      },
      async (model: ChannelModel) => {
        const channel = await model.createChannel()
        channel.on('error', () => {})
        await channel.assertExchange('clicks.incoming', 'fanout')
      },
      async (model: ChannelModel) => {
        await model.close()
      },
    ]
    let attempts = 0
    const { link, counts, isOpen } = createLink(broker.url, {
      setUp: async (model) => {
        attempts += 1
        await failures[attempts - 1]?.(model)
      },
    })
    link.start()
    await vi.waitFor(() => expect(attempts).toBe(failures.length + 1), patience)
    await isOpen()
    expect(counts).toEqual({ setUps: 5, downs: 4 })
  })

  test('opens a new connection on restart()', async () => {
    const broker = await createTestBroker()
    const { link, counts, isOpen } = createLink(broker.url)
    link.start()
    await isOpen()
    link.restart(new Error('the channel is of no use'))
    await vi.waitFor(() => expect(counts.setUps).toBe(2), patience)
    await isOpen()
    expect(counts.downs).toBe(1)
  })

  test('retries while no server listens, and opens when one does', async () => {
    const broker = await createTestBroker()
    const { server, url } = await createSilentServer()
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const through = new URL(broker.url)
    const direct = through.host
    through.host = new URL(url).host
    const { link, isOpen } = createLink(through.href)
    link.start()
    const { connect } = await import('node:net')
    const [host, brokerPort] = direct.split(':')
    const proxy = createServer((client) => {
      const upstream = connect(Number(brokerPort ?? 5672), host)
      for (const socket of [client, upstream]) socket.on('error', () => {})
      client.pipe(upstream).pipe(client)
    })
    onTestFinished(() => {
      proxy.close()
    })
    expect(link.isOpen).toBe(false)
    proxy.listen(port, '127.0.0.1')
    await isOpen()
    await link.close()
  })

  test('opens one connection when it is started twice', async () => {
    const broker = await createTestBroker()
    const { link, counts, isOpen } = createLink(broker.url)
    link.start()
    link.start()
    await isOpen()
    expect(counts.setUps).toBe(1)
  })
})

/** Several ways to one broker, which can fail by themselves. */
async function createHosts(count: number) {
  const broker = await createTestBroker()
  const url = new URL(broker.url)
  const proxies: TcpProxy[] = []
  for (let number = 0; number < count; number += 1) {
    const proxy = await TcpProxy.open({ host: url.hostname, port: Number(url.port || 5672) })
    onTestFinished(() => proxy.close())
    proxies.push(proxy)
  }
  const hosts = proxies.map(({ port }) => `127.0.0.1:${port}`)
  return { broker, proxies, hosts, urlWith: (all: readonly string[]) => broker.url.replace(url.host, all.join(',')) }
}

describe('a link to several hosts', () => {
  test('opens at one that answers, whichever are away or silent', async () => {
    const { hosts, urlWith } = await createHosts(1)
    const silent = new URL((await createSilentServer()).url).host
    const { link, isOpen } = createLink(urlWith(['127.0.0.1:1', ...hosts, silent]))
    link.start()
    await isOpen()
    expect(new URL(link.currentUrl).host).toBe(hosts[0])
  })

  test('moves to another host when its own is cut off, and stays there', async () => {
    const { proxies, hosts, urlWith } = await createHosts(2)
    const { link, counts, isOpen } = createLink(urlWith(hosts))
    link.start()
    await isOpen()
    const first = new URL(link.currentUrl).host
    const own = proxies[hosts.indexOf(first)] as TcpProxy
    own.cut()
    await vi.waitFor(() => expect(counts).toEqual({ setUps: 2, downs: 1 }), patience)
    await isOpen()
    expect(new URL(link.currentUrl).host).not.toBe(first)
    expect(own.connections).toBe(0)
  })

  test('moves to another host on restart(), although its own is silent', async () => {
    const { proxies, hosts, urlWith } = await createHosts(2)
    const { link, counts, isOpen } = createLink(urlWith(hosts))
    link.start()
    await isOpen()
    const first = new URL(link.currentUrl).host
    proxies[hosts.indexOf(first)]?.silence()
    link.restart(new Error('nothing is confirmed'))
    await vi.waitFor(() => expect(counts.setUps).toBe(2), patience)
    await isOpen()
    expect(new URL(link.currentUrl).host).not.toBe(first)
  })
})

describe('closing a link', () => {
  test('closes the connection, and does not reconnect', async () => {
    const broker = await createTestBroker()
    let closed = false
    const { link, counts, isOpen } = createLink(broker.url, {
      setUp: async (model) => {
        model.on('close', () => {
          closed = true
        })
      },
    })
    link.start()
    await isOpen()
    await link.close()
    expect(link.isOpen).toBe(false)
    expect(closed).toBe(true)
    expect(counts).toEqual({ setUps: 1, downs: 1 })
  })

  test('works while no server listens', async () => {
    const { server, url } = await createSilentServer()
    server.close()
    await once(server, 'close')
    const { link, counts } = createLink(url)
    link.start()
    await link.close()
    expect(counts).toEqual({ setUps: 0, downs: 0 })
  })

  test('works while it connects to a server that never answers', async () => {
    const { url, sockets } = await createSilentServer()
    const { link, counts } = createLink(url)
    link.start()
    await vi.waitFor(() => expect(sockets.size).toBe(1), patience)
    await link.close()
    expect(counts.setUps).toBe(0)
  })

  test('works while its set-up hangs', async () => {
    const broker = await createTestBroker()
    const { link, counts } = createLink(broker.url, { setUp: () => new Promise(() => {}) })
    link.start()
    await vi.waitFor(() => expect(counts.setUps).toBe(1), patience)
    await link.close()
    expect(link.isOpen).toBe(false)
    expect(counts).toEqual({ setUps: 1, downs: 1 })
  })

  test('works before start()', async () => {
    const { link } = createLink('amqp://127.0.0.1:1')
    await link.close()
    expect(link.isOpen).toBe(false)
  })
})
