import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { InjectOptions } from 'fastify'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { closeGracefully } from '../graceful-close.ts'
import { createHttpApp, type HttpAppOptions } from '../http-app.ts'
import { ServiceProblem } from '../service-problem.ts'

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

describe('an error response is application/problem+json', () => {
  const json = { 'content-type': 'application/json' }
  test.each<[string, InjectOptions, number, string]>([
    ['no such path', { url: '/nothing' }, 404, 'not_found'],
    ['no such method', { method: 'DELETE', url: '/echo' }, 405, 'method_not_allowed'],
    ['a path that cannot be decoded', { url: '/%zz' }, 400, 'bad_request'],
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
    ['an unexpected error', { url: '/broken' }, 500, 'internal'],
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

  test('with Retry-After and the invalid field, where they apply', async () => {
    const { app } = createApp()
    const response = await app.inject('/busy')
    expect(response.headers['retry-after']).toBe('7')
    expect(response.json()).toMatchObject({ detail: 'Come back later.', field: 'f' })
  })

  test('without internal details, which are logged instead', async () => {
    const { app, lines } = createApp()
    const response = await app.inject({ url: '/broken', headers: { 'x-request-id': 'r1' } })
    expect(response.body).not.toContain('secret')
    expect(lines).toContainEqual(expect.objectContaining({ requestId: 'r1', msg: 'request failed' }))
    expect(JSON.stringify(lines)).toContain('secret inside')
  })

  test('as the service explains it, where it can', async () => {
    const { app } = createApp({
      explain: (error) => (error instanceof TypeError ? new ServiceProblem('busy', busy, 'Explained.') : undefined),
    })
    expect((await app.inject('/broken')).json()).toMatchObject({ code: 'busy', detail: 'Explained.' })
    expect((await app.inject('/nothing')).json()).toMatchObject({ code: 'not_found' })
  })

  test('for a request that is not HTTP', async () => {
    const { app } = createApp()
    await app.listen({ host: '127.0.0.1', port: 0 })
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    socket.write('GET /livez HTTP/1.1\r\nbroken header\r\n\r\n')
    const response = await text(socket)
    const [head, body] = response.split('\r\n\r\n')
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
  test.each(['f00d', 'a.b_c-D', 'x'.repeat(64)])('is the one that nginx set: %s', async (id) => {
    expect(await idOf(id)).toBe(id)
  })
  test.each([undefined, '', 'x'.repeat(65), 'a b', 'a"b', '{}', 'a,b', 'ä'])(
    'is generated in place of %j',
    async (id) => {
      expect(await idOf(id)).toMatch(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/)
    },
  )
})

describe('the routes of every service', () => {
  test('/livez is 200 and /readyz is 503 while the service is not ready', async () => {
    const { app } = createApp({ isReady: async () => false })
    expect((await app.inject('/livez')).statusCode).toBe(200)
    expect((await app.inject('/readyz')).statusCode).toBe(503)
  })

  test('a method that a path does not support is refused with those that it does', async () => {
    const { app } = createApp()
    app.get('/things/:id', () => ({}))
    app.delete('/things/:id', () => ({}))
    const allow = async (method: 'GET' | 'POST' | 'PUT', url: string) => {
      const { statusCode, headers } = await app.inject({ method, url })
      return [statusCode, headers.allow]
    }
    expect(await allow('PUT', '/things/7?a=b')).toEqual([405, 'DELETE, GET, HEAD'])
    expect(await allow('GET', '/echo')).toEqual([405, 'POST'])
    expect(await allow('POST', '/things/')).toEqual([404, undefined])
    expect(await allow('POST', '/things/7/8')).toEqual([404, undefined])
  })

  test('/readyz is 200 while the service is ready', async () => {
    const { app } = createApp()
    const response = await app.inject('/readyz')
    expect([response.statusCode, response.json()]).toEqual([200, { status: 'ready' }])
  })

  test('/metrics counts responses by route, and those without a route under one name', async () => {
    const { app } = createApp()
    for (const url of ['/livez', '/nothing/1', '/nothing/2']) await app.inject(url)
    const { body } = await app.inject('/metrics')
    expect(body).toContain('http_request_duration_seconds_count{method="GET",route="/livez",status="200"} 1\n')
    expect(body).toContain('http_request_duration_seconds_count{method="none",route="none",status="404"} 2\n')
  })

  test('a request is not logged', async () => {
    const { app, lines } = createApp()
    await app.inject('/livez')
    await app.inject('/nothing')
    expect(lines).toEqual([])
  })
})
