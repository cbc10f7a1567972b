import { once } from 'node:events'
import { Agent, get, request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { closeGracefully, sendOpenStream } from '../graceful-close.ts'
import { createHttpApp, type HttpApp } from '../http-app.ts'

/** The default of one second is too short on a busy machine. */
const patience = { timeout: 300_000, interval: 10 }

function createApp(): HttpApp {
  const app = createHttpApp({ logger: pino({ level: 'silent' }), registry: new Registry(), isReady: () => true })
  app.post('/echo', (request) => ({ body: request.body }))
  onTestFinished(() => closeGracefully(app))
  return app
}

async function listen(app: HttpApp): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

describe('a graceful close', () => {
  function createSlowApp() {
    const app = createApp()
    let arrived = 0
    const release = Promise.withResolvers<void>()
    app.get('/slow', async () => {
      arrived += 1
      await release.promise
      return { done: true }
    })
    return { app, release: release.resolve, arrived: () => arrived }
  }

  async function send(port: number, agent: Agent, path: string): Promise<IncomingMessage> {
    const [response] = (await once(get({ port, host: '127.0.0.1', agent, path }), 'response')) as [IncomingMessage]
    return response
  }

  function keepAlive(): Agent {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    return agent
  }

  test('answers the requests in flight, with Connection: close', async () => {
    const { app, release, arrived } = createSlowApp()
    const port = await listen(app)
    const answers = [1, 2, 3].map(() => send(port, keepAlive(), '/slow'))
    await vi.waitFor(() => expect(arrived()).toBe(3), patience)
    const closing = closeGracefully(app)
    release()
    for (const response of await Promise.all(answers)) {
      expect(response.statusCode).toBe(200)
      expect(response.headers.connection).toBe('close')
      expect(await text(response)).toBe('{"done":true}')
    }
    await closing
    expect(app.server.listening).toBe(false)
  })

  test('stops listening at once, while a request is still in flight', async () => {
    const { app, release, arrived } = createSlowApp()
    const port = await listen(app)
    const answer = send(port, keepAlive(), '/slow')
    await vi.waitFor(() => expect(arrived()).toBe(1), patience)
    const closing = closeGracefully(app)
    await expect(send(port, keepAlive(), '/livez')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    release()
    expect((await answer).statusCode).toBe(200)
    await closing
  })

  test('answers a request that arrives on an open connection, and closes that connection', async () => {
    const { app, release, arrived } = createSlowApp()
    const port = await listen(app)
    const idle = keepAlive()
    const first = await send(port, idle, '/livez')
    expect(first.headers.connection).toBe('keep-alive')
    await text(first)
    const held = send(port, keepAlive(), '/slow')
    await vi.waitFor(() => expect(arrived()).toBe(1), patience)
    const closing = closeGracefully(app)
    const late = await send(port, idle, '/readyz')
    expect([late.statusCode, late.headers.connection]).toEqual([503, 'close'])
    await text(late)
    release()
    await held
    await closing
  })

  test('waits for a request body that is still arriving', async () => {
    const app = createApp()
    const port = await listen(app)
    const request = httpRequest({
      port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/echo',
      agent: keepAlive(),
      headers: { 'content-type': 'application/json' },
    })
    const arrived = once(app.server, 'request')
    request.write('"half')
    await arrived
    const closing = closeGracefully(app)
    request.end(' and half"')
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(200)
    expect(JSON.parse(await text(response))).toMatchObject({ body: 'half and half' })
    await closing
  })

  test('does not wait longer than the timeout for a request that never ends', async () => {
    const { app, arrived } = createSlowApp()
    const port = await listen(app)
    const answer = send(port, keepAlive(), '/slow').catch(({ code }) => code)
    await vi.waitFor(() => expect(arrived()).toBe(1), patience)
    await closeGracefully(app, 200)
    expect(await answer).toBe('ECONNRESET')
  })

  test('does not wait for a connection that never sends a complete request', async () => {
    const app = createApp()
    const port = await listen(app)
    const sockets = ['', 'GET /livez HT', 'POST /echo HTTP/1.1\r\ncontent-length: 10\r\n'].map((part) => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.resume().write(part)
      return socket
    })
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    await closeGracefully(app)
    await vi.waitFor(() => expect(sockets.map(({ closed }) => closed)).toEqual([true, true, true]), patience)
  })

  test('succeeds for an app that never listened, or is already closed', async () => {
    const app = createApp()
    await app.ready()
    await closeGracefully(app)
    await closeGracefully(app)
  })

  // A close that waits for an open stream takes longer than the test may.
  describe('of open streams', () => {
    const timeoutMs = 120_000

    function createStreamingApp() {
      const app = createApp()
      const sources: PassThrough[] = []
      app.register(async (plugin) => {
        plugin.get('/stream', (_request, reply) => {
          const source = new PassThrough()
          sources.push(source)
          source.write('data: 1\n\n')
          return sendOpenStream(reply.type('text/event-stream'), source)
        })
      })
      return { app, sources }
    }

    test('ends them at once, each as a complete response', async () => {
      const { app, sources } = createStreamingApp()
      const port = await listen(app)
      const responses = await Promise.all([1, 2, 3].map(() => send(port, keepAlive(), '/stream')))
      const bodies = responses.map((response) => text(response))
      await closeGracefully(app, timeoutMs)
      expect(await Promise.all(bodies)).toEqual(Array(3).fill('data: 1\n\n'))
      await vi.waitFor(() => expect(sources.map(({ destroyed }) => destroyed)).toEqual([true, true, true]), patience)
    })

    test('does not wait for a client that reads nothing', async () => {
      const { app, sources } = createStreamingApp()
      const port = await listen(app)
      const response = await send(port, keepAlive(), '/stream')
      response.on('error', () => {}).pause()
      // More than the buffers of both sockets hold.
      sources[0]?.write(Buffer.alloc(64 * 1024 * 1024))
      await closeGracefully(app, timeoutMs)
      await vi.waitFor(() => expect(sources[0]?.destroyed).toBe(true), patience)
    })

    test('still waits for the other requests', async () => {
      const { app } = createStreamingApp()
      const release = Promise.withResolvers<void>()
      const arrived = Promise.withResolvers<void>()
      app.get('/slow', async () => {
        arrived.resolve()
        await release.promise
        return { done: true }
      })
      const port = await listen(app)
      const stream = await send(port, keepAlive(), '/stream')
      const slow = send(port, keepAlive(), '/slow')
      await arrived.promise
      const closing = closeGracefully(app, timeoutMs)
      expect(await text(stream)).toBe('data: 1\n\n')
      // Longer than an idle connection is kept.
      await sleep(700)
      release.resolve()
      expect(await text(await slow)).toBe('{"done":true}')
      await closing
    })

    test('ends one at once that is requested while it closes', async () => {
      const { app } = createStreamingApp()
      const release = Promise.withResolvers<void>()
      app.get('/slow', async () => {
        await release.promise
        return {}
      })
      const port = await listen(app)
      const agent = keepAlive()
      await text(await send(port, agent, '/livez'))
      const slow = send(port, keepAlive(), '/slow')
      await once(app.server, 'request')
      const closing = closeGracefully(app, timeoutMs)
      const late = await send(port, agent, '/stream')
      expect(late.statusCode).toBe(200)
      await text(late)
      release.resolve()
      await slow
      await closing
    })

    test('forgets one whose client has disconnected', async () => {
      const { app, sources } = createStreamingApp()
      const port = await listen(app)
      const response = await send(port, keepAlive(), '/stream')
      response.destroy()
      await vi.waitFor(() => expect(sources[0]?.destroyed).toBe(true), patience)
      await closeGracefully(app, timeoutMs)
    })
  })
})
