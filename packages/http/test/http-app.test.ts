import { once } from 'node:events'
import { Agent, get, request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { InjectOptions } from 'fastify'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { closeGracefully, createHttpApp, type HttpApp, type HttpAppOptions } from '../http-app.ts'
import { ServiceProblem } from '../service-problem.ts'

/** For what hangs: a second, the default, is over in no time on a busy machine. */
const patience = { timeout: 120_000, interval: 10 }

const busy = { status: 503, title: 'Busy', retryable: true, retryAfterSeconds: 7 } as const

function createApp(options: Partial<HttpAppOptions> = {}) {
  const lines: Record<string, unknown>[] = []
  const logger = pino(
    { level: 'info' },
    {
      write: (line: string) => {
        lines.push(JSON.parse(line))
      },
    },
  )
  const app = createHttpApp({ logger, registry: new Registry(), isReady: () => true, ...options })
  app.post('/echo', (request) => ({ body: request.body, requestId: request.id }))
  app.get('/busy', () => {
    throw new ServiceProblem('busy', busy, 'Come back later.', { field: 'f' })
  })
  app.get('/broken', () => {
    throw new TypeError('secret inside')
  })
  onTestFinished(() => closeGracefully(app))
  return { app, lines }
}

async function listen(app: HttpApp): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

describe('an error is answered as application/problem+json', () => {
  const json = { 'content-type': 'application/json' }
  test.each<[string, InjectOptions, number, string]>([
    ['no such path', { url: '/nothing' }, 404, 'not_found'],
    ['no such method', { method: 'DELETE', url: '/echo' }, 404, 'not_found'],
    ['a path that can not be decoded', { url: '/%zz' }, 400, 'bad_request'],
    ['broken JSON', { method: 'POST', url: '/echo', headers: json, payload: '{' }, 400, 'bad_request'],
    [
      'an unknown content type',
      { method: 'POST', url: '/echo', headers: { 'content-type': 'a/b' }, payload: 'x' },
      415,
      'media_type_unsupported',
    ],
    [
      'a body over the limit',
      { method: 'POST', url: '/echo', headers: json, payload: `"${'x'.repeat(200)}"` },
      413,
      'body_too_large',
    ],
    ['an error of the service', { url: '/busy' }, 503, 'busy'],
    ['an error that nobody expected', { url: '/broken' }, 500, 'internal'],
  ])('%s', async (_name, request, status, code) => {
    const { app } = createApp({ bodyLimit: 100 })
    const response = await app.inject(request)
    expect(response.statusCode).toBe(status)
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(response.json()).toMatchObject({
      type: `urn:clicktally:problem:${code}`,
      title: expect.stringMatching(/./),
      status,
      detail: expect.stringMatching(/./),
      code,
      retryable: status >= 500,
    })
  })

  test('with Retry-After and the field at fault, where there are such', async () => {
    const { app } = createApp()
    const response = await app.inject('/busy')
    expect(response.headers['retry-after']).toBe('7')
    expect(response.json()).toMatchObject({ detail: 'Come back later.', field: 'f' })
  })

  test('without a word of the inside, which is in the log', async () => {
    const { app, lines } = createApp()
    const response = await app.inject({ url: '/broken', headers: { 'x-request-id': 'r1' } })
    expect(response.body).not.toContain('secret')
    expect(lines).toContainEqual(expect.objectContaining({ requestId: 'r1', msg: 'request failed' }))
    expect(JSON.stringify(lines)).toContain('secret inside')
  })

  test('as the service explains it, where it knows better', async () => {
    const { app } = createApp({
      explain: (error) => (error instanceof TypeError ? new ServiceProblem('busy', busy, 'Explained.') : undefined),
    })
    expect((await app.inject('/broken')).json()).toMatchObject({ code: 'busy', detail: 'Explained.' })
    expect((await app.inject('/nothing')).json()).toMatchObject({ code: 'not_found' })
  })

  test('to what is no HTTP at all', async () => {
    const { app } = createApp()
    const socket = connect(await listen(app), '127.0.0.1')
    socket.write('GET /livez HTTP/1.1\r\nbroken header\r\n\r\n')
    const answer = await text(socket)
    const [head, body] = answer.split('\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(head).toMatch(/content-type: application\/problem\+json/)
    expect(JSON.parse(body ?? '')).toMatchObject({ code: 'bad_request', status: 400, retryable: false })
  })
})

describe('the request id', () => {
  const idOf = async (header: string | undefined) => {
    const { app } = createApp()
    const headers = header === undefined ? {} : { 'x-request-id': header }
    return (await app.inject({ method: 'POST', url: '/echo', headers, payload: {} })).json().requestId
  }
  test.each(['f00d', 'a.b_c-D', 'x'.repeat(64)])('is the one that nginx gave: %s', async (id) => {
    expect(await idOf(id)).toBe(id)
  })
  test.each([undefined, '', 'x'.repeat(65), 'a b', 'a"b', '{}', 'a,b', 'ä'])(
    'is made anew in place of %j',
    async (id) => {
      expect(await idOf(id)).toMatch(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/)
    },
  )
})

describe('the paths of every service', () => {
  test('/livez is 200 and /readyz is not while the service is not ready', async () => {
    const { app } = createApp({ isReady: async () => false })
    expect((await app.inject('/livez')).statusCode).toBe(200)
    expect((await app.inject('/readyz')).statusCode).toBe(503)
  })

  test('/readyz is 200 while it is', async () => {
    const { app } = createApp()
    const response = await app.inject('/readyz')
    expect([response.statusCode, response.json()]).toEqual([200, { status: 'ready' }])
  })

  test('/metrics counts answers by route, and what has no route under one name', async () => {
    const { app } = createApp()
    for (const url of ['/livez', '/nothing/1', '/nothing/2']) await app.inject(url)
    const { body } = await app.inject('/metrics')
    expect(body).toContain('http_request_duration_seconds_count{route="/livez",status="200"} 1\n')
    expect(body).toContain('http_request_duration_seconds_count{route="none",status="404"} 2\n')
  })

  test('a request leaves no line in the log', async () => {
    const { app, lines } = createApp()
    await app.inject('/livez')
    await app.inject('/nothing')
    expect(lines).toEqual([])
  })
})

describe('a graceful close', () => {
  function createSlowApp() {
    const { app } = createApp()
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

  test('answers what is under way, with Connection: close', async () => {
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

  test('stops listening at once, while a request is still under way', async () => {
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

  test('answers a request that comes on an open connection, and closes that connection', async () => {
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

  test('lets a body that is still arriving arrive', async () => {
    const { app } = createApp()
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

  test('does not wait longer than it was told for a request that never ends', async () => {
    const { app, arrived } = createSlowApp()
    const port = await listen(app)
    const answer = send(port, keepAlive(), '/slow').catch(({ code }) => code)
    await vi.waitFor(() => expect(arrived()).toBe(1), patience)
    await closeGracefully(app, 200)
    expect(await answer).toBe('ECONNRESET')
  })

  test('does not wait for a connection that never sends a whole request', async () => {
    const { app } = createApp()
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

  test('of an app that never listened, or is closed already, is no error', async () => {
    const { app } = createApp()
    await app.ready()
    await closeGracefully(app)
    await closeGracefully(app)
  })
})
