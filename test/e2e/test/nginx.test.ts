import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeKey } from '@clicktally/keys/key-text.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { startNginxUnderTest } from '../nginx-under-test.ts'
import { type RawAnswer, RawExchange, type RawRequest, rawRequest } from '../raw-request.ts'

const open: RawExchange[] = []

afterEach(() => {
  for (const exchange of open.splice(0)) exchange.close()
})

interface Line {
  readonly path: string
  readonly headers?: readonly string[]
  readonly body?: string
}

function get(port: number, { path, headers = [] }: Line, from?: string): RawRequest {
  const hasHost = headers.some((header) => /^host:/i.test(header))
  const lines = [`GET ${path} HTTP/1.1`, ...(hasHost ? [] : ['host: localhost']), 'connection: close', ...headers]
  return { port, text: `${lines.join('\r\n')}\r\n\r\n`, ...(from && { from }) }
}

function post(port: number, { path, headers = [], body = '{}' }: Line, from?: string): RawRequest {
  const lines = [`POST ${path} HTTP/1.1`, 'host: localhost', 'connection: close', `content-length: ${body.length}`]
  return { port, text: `${[...lines, ...headers].join('\r\n')}\r\n\r\n${body}`, ...(from && { from }) }
}

/** Sends half of a body of this size, and then a byte every two seconds, so that nginx does not time out. */
function stall(port: number, path: string, from: string, bytes = 1_000_000): RawExchange {
  const { text } = post(port, { path, body: 'x'.repeat(bytes / 2) }, from)
  const exchange = new RawExchange({ port, text: text.replace(`length: ${bytes / 2}`, `length: ${bytes}`), from })
  const trickle = setInterval(() => exchange.socket.write('x'), 2_000)
  exchange.socket.on('close', () => clearInterval(trickle))
  open.push(exchange)
  return exchange
}

/** The responses that have arrived so far. */
async function answered(exchanges: readonly RawExchange[]): Promise<RawAnswer[]> {
  const states = await Promise.all(exchanges.map(({ answer }) => Promise.race([answer, Promise.resolve(undefined)])))
  return states.filter((answer) => answer !== undefined)
}

function expectProblem(answer: RawAnswer, status: number, code: string, retryable: boolean): void {
  expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'application/problem+json'])
  expect(JSON.parse(answer.body)).toMatchObject({ type: `urn:clicktally:problem:${code}`, status, code, retryable })
  expect(answer.headers.get('retry-after')).toBe(retryable ? '1' : undefined)
}

describe('a client that sends too much', () => {
  test('is refused beyond its limit of concurrent batches, and other clients are not', async () => {
    const { port } = await startNginxUnderTest({ batchesAtOnce: 4, requestsAtOnce: 6 })
    const stalled = Array.from({ length: 40 }, () => stall(port, '/v1/events/batch', '127.0.0.2'))
    await vi.waitFor(async () => expect(await answered(stalled)).toHaveLength(36), patience)
    for (const answer of await answered(stalled)) expectProblem(answer, 429, 'too_many_requests', true)
    for (const path of ['/v1/events/batch', '/v1/backfill', '/v1/events']) {
      expect((await rawRequest(post(port, { path }))).status, path).toBe(202)
    }
    // Single clicks have a separate limit, until that is reached too.
    expectProblem(await rawRequest(post(port, { path: '/v1/backfill' }, '127.0.0.2')), 429, 'too_many_requests', true)
    expect((await rawRequest(post(port, { path: '/v1/events' }, '127.0.0.2'))).status).toBe(202)
    await vi.waitFor(async () => {
      // Another one each time: the request below can take the place of one, which is refused then.
      stall(port, '/v1/events', '127.0.0.2', 10_000)
      const answer = await rawRequest(post(port, { path: '/v1/events' }, '127.0.0.2'))
      expectProblem(answer, 429, 'too_many_requests', true)
    }, patience)
    expect((await rawRequest(post(port, { path: '/v1/events' }))).status).toBe(202)
  })

  test('can send again when its requests have ended', async () => {
    const { port } = await startNginxUnderTest({ batchesAtOnce: 2 })
    const stalled = Array.from({ length: 3 }, () => stall(port, '/v1/events/batch', '127.0.0.2'))
    await vi.waitFor(async () => expect(await answered(stalled)).toHaveLength(1), patience)
    for (const exchange of stalled) exchange.close()
    await vi.waitFor(async () => {
      expect((await rawRequest(post(port, { path: '/v1/events/batch' }, '127.0.0.2'))).status).toBe(202)
    }, patience)
  })

  test('is refused beyond its request rate, and other clients are not', async () => {
    const { port } = await startNginxUnderTest({ requestsPerSecond: 1 })
    await vi.waitFor(async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => rawRequest(post(port, { path: '/v1/events' }, '127.0.0.2'))),
      )
      const refused = answers.filter(({ status }) => status !== 202)
      expect(refused.length).toBeGreaterThan(0)
      for (const answer of refused) expectProblem(answer, 429, 'too_many_requests', true)
    }, patience)
    expect((await rawRequest(post(port, { path: '/v1/events' }))).status).toBe(202)
  })

  const limitOf = ({ headers }: RawAnswer) => [headers.get('ratelimit-policy'), headers.get('ratelimit')]

  test('is told that it has too many requests in progress', async () => {
    const { port } = await startNginxUnderTest({ batchesAtOnce: 2 })
    const stalled = Array.from({ length: 3 }, () => stall(port, '/v1/events/batch', '127.0.0.2'))
    await vi.waitFor(async () => expect(await answered(stalled)).toHaveLength(1), patience)
    const [answer] = await answered(stalled)
    expect(answer?.status).toBe(429)
    expect(answer && limitOf(answer)).toEqual([
      '"requests-in-progress";q=2;qu="concurrent-requests"',
      '"requests-in-progress";r=0',
    ])
  })

  test('is told that it exceeds its request rate', async () => {
    const { port } = await startNginxUnderTest({ requestsPerSecond: 1 })
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => rawRequest(post(port, { path: '/v1/events' }, '127.0.0.2'))),
    )
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(0)
    for (const answer of refused) {
      expect(limitOf(answer)).toEqual(['"requests-of-address";q=1;w=1', '"requests-of-address";r=0;t=1'])
    }
    for (const answer of answers.filter(({ status }) => status !== 429)) {
      expect(limitOf(answer)).toEqual([undefined, undefined])
    }
  })

  const sendWith = (port: number, key: string, client: number) =>
    rawRequest(post(port, { path: '/v1/events', headers: [`authorization: Bearer ${key}`] }, `127.0.0.${client}`))

  test('is refused beyond the limit of its key, from any number of addresses; other keys are not', async () => {
    const { port } = await startNginxUnderTest({ requestsPerSecondPerKey: 1 })
    const [key, other] = [makeKey('write').text, makeKey('write').text]
    const answers = await Promise.all(Array.from({ length: 20 }, (_, client) => sendWith(port, key, 2 + client)))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(10)
    for (const answer of refused) {
      expectProblem(answer, 429, 'too_many_requests', true)
      expect(limitOf(answer)).toEqual(['"requests-of-key";q=1;w=1', '"requests-of-key";r=0;t=1'])
    }
    expect((await sendWith(port, other, 2)).status).toBe(202)
    // The scheme is not case-sensitive.
    const headers = [`authorization: BEARER  ${key}`]
    const upperCase = await Promise.all(
      Array.from({ length: 20 }, () => rawRequest(post(port, { path: '/v1/events', headers }, '127.0.0.2'))),
    )
    expect(upperCase.filter(({ status }) => status === 429).length).toBeGreaterThan(10)
  })

  test('is refused beyond the limit of a key that is in the query of a beacon or a pixel, however it is written', async () => {
    const { port } = await startNginxUnderTest({ requestsPerSecondPerKey: 1 })
    const key = makeKey('write').text
    const queries = [`key=${key}`, `a=b&key=${key}&c`, `KEY=${makeKey('write').text}&key=${key}`, `key=x&key=${key}`]
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, client) => {
        const from = `127.0.0.${2 + client}`
        const query = queries[client % queries.length]
        if (client % 3 === 0) return rawRequest(get(port, { path: `/v1/p.gif?${query}` }, from))
        return rawRequest(post(port, { path: `${client % 3 === 1 ? '/v1/c' : '/v1/beacon'}?${query}` }, from))
      }),
    )
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(30)
    for (const answer of refused) expect(limitOf(answer)[0]).toBe('"requests-of-key";q=1;w=1')
    // A key in the query of another path is not used, so it is not limited.
    const elsewhere = await Promise.all(
      Array.from({ length: 20 }, () => rawRequest(post(port, { path: `/v1/events?key=${key}` }, '127.0.0.2'))),
    )
    expect(elsewhere.filter(({ status }) => status === 429)).toEqual([])
  })

  test('cannot bypass the limit of its address with a new key for each request', async () => {
    const { port } = await startNginxUnderTest({ requestsPerSecond: 1 })
    const keys = Array.from({ length: 20 }, () => makeKey('write').text)
    const answers = await Promise.all(keys.map((key) => sendWith(port, key, 2)))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(10)
    for (const answer of refused) expect(limitOf(answer)[1]).toBe('"requests-of-address";r=0;t=1')
  })

  test.each(['/v1/session', '/v1/password'])('is refused after a few attempts to sign in: %s', async (path) => {
    const { port } = await startNginxUnderTest()
    const answers = await Promise.all(Array.from({ length: 40 }, () => rawRequest(post(port, { path }, '127.0.0.2'))))
    const refused = answers.filter(({ status }) => status === 429)
    // A burst of 10, then one every 5 s.
    expect(refused.length).toBeGreaterThan(20)
    for (const answer of refused) {
      expect(limitOf(answer)).toEqual(['"sign-ins-of-address";q=12;w=60', '"sign-ins-of-address";r=0;t=5'])
      expect(answer.headers.get('retry-after')).toBe('5')
    }
    // Other methods are not limited, and other clients can sign in.
    expect((await rawRequest(get(port, { path }, '127.0.0.2'))).status).toBe(200)
    expect((await rawRequest(post(port, { path }, '127.0.0.3'))).status).toBe(202)
  })

  test('from many addresses cannot fill the disk, and single clicks are still accepted', async () => {
    const { port } = await startNginxUnderTest()
    const clients = Array.from({ length: 9 }, (_, index) => `127.0.0.${10 + index}`)
    const stalled = clients.flatMap((from) => Array.from({ length: 32 }, () => stall(port, '/v1/events/batch', from)))
    await vi.waitFor(async () => expect(await answered(stalled)).toHaveLength(32), patience)
    const large = 'x'.repeat(140_000)
    expectProblem(
      await rawRequest(post(port, { path: '/v1/events/batch', body: large })),
      429,
      'too_many_requests',
      true,
    )
    // The length of this one is not known before it has arrived.
    const chunked = post(port, { path: '/v1/events/batch', body: '2\r\n{}\r\n0\r\n\r\n' })
    const text = chunked.text.replace(/content-length: \d+/, 'transfer-encoding: chunked')
    expectProblem(await rawRequest({ port, text }), 429, 'too_many_requests', true)
    for (const path of ['/v1/events', '/v1/events/batch', '/v1/backfill', '/segment/v1/track']) {
      expect((await rawRequest(post(port, { path }))).status, path).toBe(202)
      // What is sent in small bodies needs no disk.
      expect((await rawRequest(post(port, { path, body: 'x'.repeat(129_999) }))).status, path).toBe(202)
    }
    expect((await rawRequest(get(port, { path: '/v1/counts' }))).status).toBe(200)
  })

  test('can read why it is refused, also as a page of another origin', async () => {
    const { port, stopServices } = await startNginxUnderTest({ requestsPerSecond: 1 })
    const origin = 'origin: https://shop.example'
    const send = (body: string) =>
      rawRequest(post(port, { path: '/v1/c?key=a', headers: [origin, 'content-type: text/plain'], body }, '127.0.0.2'))
    const corsOf = ({ headers }: RawAnswer) => [
      ...[headers.get('access-control-allow-origin'), headers.get('access-control-expose-headers')],
    ]
    const readable = ['*', 'retry-after, ratelimit, ratelimit-policy, x-request-id']
    // Services decide about their own answers.
    const accepted = await send('{}')
    expect([accepted.status, ...corsOf(accepted)]).toEqual([202, undefined, undefined])
    const tooLarge = await send('x'.repeat(200_000))
    expect([tooLarge.status, ...corsOf(tooLarge)]).toEqual([413, ...readable])
    const answers = await Promise.all(Array.from({ length: 20 }, () => send('{}')))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(0)
    for (const answer of refused) expect(corsOf(answer)).toEqual(readable)
    await stopServices()
    const unavailable = await rawRequest(post(port, { path: '/v1/c', headers: [origin] }))
    expect([unavailable.status, ...corsOf(unavailable)]).toEqual([503, ...readable])
  })

  test('cannot make nginx buffer a single click on disk', async () => {
    const { port, passed } = await startNginxUnderTest()
    const answer = await rawRequest(post(port, { path: '/v1/events', body: 'x'.repeat(200_000) }))
    expectProblem(answer, 413, 'body_too_large', false)
    expect(passed).toEqual([])
  })
})

describe("a client's address", () => {
  const forwarded = (port: number, address: string) =>
    rawRequest(post(port, { path: '/v1/events', headers: [`x-forwarded-for: ${address}`] }))

  test('is that of its connection, whatever X-Forwarded-For says', async () => {
    const { port, passed } = await startNginxUnderTest()
    await forwarded(port, '192.0.2.1')
    expect(passed.map(({ headers }) => headers['x-forwarded-for'])).toEqual(['127.0.0.1'])
  })

  test('is taken from X-Forwarded-For behind trusted proxies: the last address that is not a trusted proxy', async () => {
    const { port, passed } = await startNginxUnderTest({ trustedProxies: ['127.0.0.1', '10.0.0.0/8'] })
    await forwarded(port, '192.0.2.66, 192.0.2.1, 10.1.2.3')
    expect(passed.map(({ headers }) => headers['x-forwarded-for'])).toEqual(['192.0.2.1'])
  })

  test.each([
    ['192.0.2.1', '192.0.2.1', '192.0.2.2'],
    ['2001:db8:0:1::1', '2001:db8:0:1:ffff:ffff:ffff:ffff', '2001:db8:0:2::1'],
    ['2001:db8::1', '2001:db8::ffff:2', '2001:db8:1::1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1', '::ffff:192.0.2.2'],
  ])('%s shares its limits with %s and not with %s', async (first, same, other) => {
    const { port } = await startNginxUnderTest({ requestsPerSecond: 1, trustedProxies: ['127.0.0.1'] })
    await vi.waitFor(async () => {
      await Promise.all(Array.from({ length: 20 }, () => forwarded(port, first)))
      expect((await forwarded(port, same)).status).toBe(429)
    }, patience)
    expect((await forwarded(port, other)).status).toBe(202)
  })
})

describe('a host name', () => {
  test('that is configured is served, on any port', async () => {
    const { port } = await startNginxUnderTest({ hosts: ['counts.example.org', '*.example.com'] })
    const loopback = [
      'localhost',
      'localhost:9',
      'LOCALHOST:65535',
      '127.0.0.1',
      '127.0.0.1:8080',
      '[::1]:8080',
      '[::1]',
    ]
    for (const host of [...loopback, 'counts.example.org', 'a.example.com:8080']) {
      expect((await rawRequest(get(port, { path: '/v1/counts', headers: [`host: ${host}`] }))).status, host).toBe(200)
    }
  })

  test('that is not configured gets 421, and the request reaches no service', async () => {
    const { port, passed } = await startNginxUnderTest({ hosts: ['counts.example.org'] })
    const hosts = [
      'evil.example',
      'evil.example:8080',
      'localhost.evil.example',
      'x.counts.example.org',
      '192.0.2.1',
      '_',
      '[::2]',
    ]
    for (const host of hosts) {
      for (const request of [get, post]) {
        const { text } = request(port, { path: '/v1/counts' })
        const answer = await rawRequest({ port, text: text.replace('host: localhost', `host: ${host}`) })
        expectProblem(answer, 421, 'host_not_served', false)
      }
    }
    const absolute = 'GET http://evil.example/v1/counts HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'
    expectProblem(await rawRequest({ port, text: absolute }), 421, 'host_not_served', false)
    expectProblem(await rawRequest({ port, text: 'GET /v1/counts HTTP/1.0\r\n\r\n' }), 421, 'host_not_served', false)
    expect(passed).toEqual([])
  })
})

describe('responses and logs of nginx', () => {
  test('headers of any size are served or refused with 431, never with 400', async () => {
    const { port, passed } = await startNginxUnderTest()
    for (let bytes = 1_024; bytes <= 40 * 1_024; bytes += 512) {
      const one = `x-filler: ${'x'.repeat(1_000)}`
      const headers = [
        ...Array.from({ length: Math.floor(bytes / 1_012) }, () => one),
        `x-rest: ${'x'.repeat(bytes % 1_012)}`,
      ]
      const answer = await rawRequest(get(port, { path: `/v1/events/${bytes}`, headers }))
      if (answer.status !== 200) expectProblem(answer, 431, 'headers_too_large', false)
    }
    // Some sizes are served, others refused.
    expect(passed.length).toBeGreaterThan(20)
    expect(passed.length).toBeLessThan(32)
    const answer = await rawRequest(get(port, { path: '/v1/counts', headers: [`cookie: ${'x'.repeat(9_000)}`] }))
    expectProblem(answer, 431, 'headers_too_large', false)
    expectProblem(await rawRequest(get(port, { path: `/v1/counts?${'x'.repeat(9_000)}` })), 414, 'uri_too_long', false)
  })

  test('the Content-Security-Policy allows only own resources, and no framing', async () => {
    const { port } = await startNginxUnderTest()
    for (const path of ['/', '/docs/', '/v1/counts', '/nothing']) {
      const isPage = ['/', '/docs/'].includes(path)
      const { headers } = await rawRequest(get(port, { path }))
      const policy = headers.get('content-security-policy')
      expect(policy, path).toContain("default-src 'none'")
      expect(policy, path).toContain("frame-ancestors 'none'")
      expect(policy, path).not.toMatch(/unsafe|\*|https?:/)
      expect(policy?.includes("script-src 'self'"), path).toBe(isPage)
      expect(headers.get('x-content-type-options'), path).toBe('nosniff')
      expect(headers.get('referrer-policy'), path).toBe('no-referrer')
      expect(headers.get('cross-origin-resource-policy'), path).toBe('same-origin')
      expect(headers.get('cross-origin-opener-policy'), path).toBe(isPage ? 'same-origin' : undefined)
      expect(headers.get('permissions-policy')?.includes('geolocation=()'), path).toBe(isPage ? true : undefined)
    }
  })

  test('a public counter is cached, and nothing else below /c/ is passed on', async () => {
    const { port, passed } = await startNginxUnderTest()
    for (const path of [
      '/c/signups.svg?label=a',
      '/c/signups.svg?label=a',
      '/c/signups.svg?label=b',
      '/c/signups.json',
    ]) {
      expect((await rawRequest(get(port, { path }))).status, path).toBe(200)
    }
    expect(passed.map(({ url }) => url)).toEqual([
      '/c/signups.svg?label=a',
      '/c/signups.svg?label=b',
      '/c/signups.json',
    ])
    for (const path of [
      '/c/signups',
      '/c/',
      '/c/..%2fmetrics',
      '/c/a/b.svg',
      '/c/signups.svg/x',
      '/c/signups.svg%0a',
      '/c/S.svg',
    ]) {
      expectProblem(await rawRequest(get(port, { path })), 404, 'not_found', false)
    }
  })

  test('pages of other origins may load only what is made for them', async () => {
    const { port } = await startNginxUnderTest()
    const policyOf = async (path: string) =>
      (await rawRequest(get(port, { path }))).headers.get('cross-origin-resource-policy')
    expect(await policyOf('/v1/p.gif?target=a')).toBe('cross-origin')
    expect(await policyOf('/c/signups.svg')).toBe('cross-origin')
    expect(await policyOf('/v1/counts')).toBe('same-origin')
  })

  test('a credential does not bypass the cache, and is in no cache key', async () => {
    const { port, passed, dir } = await startNginxUnderTest()
    for (let request = 0; request < 20; request += 1) {
      const headers = [`authorization: Bearer secret-${request}`, `cookie: session=secret-${request}`]
      expect((await rawRequest(get(port, { path: '/v1/counts', headers }))).status).toBe(200)
    }
    expect(passed).toHaveLength(1)
    await rawRequest(get(port, { path: '/v1/counts?key=secret-in-the-query' }))
    const files = globSync('nginx/cache/**/*', { cwd: dir, withFileTypes: true }).filter((entry) => entry.isFile())
    expect(files).toHaveLength(1)
    const kept = files.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1')).join()
    expect(kept).toContain('KEY: /v1/counts')
    expect(kept).not.toContain('secret')
  })

  test('a failure is logged as one line of JSON, without query, address or control characters', async () => {
    const { port, stopServices, log } = await startNginxUnderTest()
    await stopServices()
    const headers = [
      'referer: http://localhost/\x1b[31m',
      'user-agent: \x1b]0;owned\x07',
      'x-forwarded-for: 127.0.0.77',
    ]
    for (const path of ['/v1/counts?key=secret', '/v1/events/%1b%5b31m%c2%9b"secret', '/docs/secret/%0aforged']) {
      const before = (await log()).split('\n').length
      expect((await rawRequest(get(port, { path, headers }, '127.0.0.77'))).status, path).toBe(503)
      await vi.waitFor(async () => expect((await log()).split('\n')).toHaveLength(before + 1), patience)
    }
    const text = await log()
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).toMatchObject([
      { level: 'error', service: 'nginx', method: 'GET', path: '/v1/counts', status: 503, msg: 'a request failed' },
      { path: 'other' },
      { path: 'other' },
    ])
    expect(text).not.toMatch(/secret|127\.0\.0\.77|owned/)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the test searches for control characters
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\xff]/)
  })
})
