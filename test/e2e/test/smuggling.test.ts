import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type RawHeader, sendHttp2 } from '../http2-frames.ts'
import { type NginxUnderTest, startNginxUnderTest } from '../nginx-under-test.ts'

// Requests that two HTTP parsers could read differently. Either nginx refuses the request, or the service reads exactly what nginx
// read: the same number of requests, each with the same method, path and body. A smuggled request would be an additional request,
// or would become part of a later request on the same connection.

type Seen = readonly [method: string, url: string, body: string]

let nginx: NginxUnderTest

beforeEach(async () => {
  nginx = await startNginxUnderTest({ tls: 'self-signed', hosts: ['counts.example.org'] })
})

afterEach(() => {
  // nginx forwarded no malformed request.
  expect(nginx.malformed).toEqual([])
})

/** The requests that the service read, in order. */
function seen(): Seen[] {
  return nginx.passed.map((request) => [
    request.method ?? '',
    request.url ?? '',
    nginx.bodies.get(request) ?? 'incomplete',
  ])
}

/** The status of each response to these bytes; empty if the connection ends without a response. */
async function statuses(bytes: string): Promise<number[]> {
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: nginx.internalPort })
    let received = ''
    socket.setEncoding('latin1').on('data', (data: string) => {
      received += data
    })
    socket.setTimeout(1_500, () => socket.destroy())
    socket.on('error', reject).on('close', () => resolve(received))
    socket.write(bytes, 'latin1')
  })
  return [...text.matchAll(/^HTTP\/1\.[01] (\d{3}) /gm)].map(([, status]) => Number(status))
}

/** Checks that ordinary requests still work on the connections to the service that earlier requests have left open. */
async function probe(): Promise<void> {
  const before = nginx.passed.length
  const url = '/v1/events/probe'
  for (let count = 0; count < 4; count += 1) {
    expect(await statuses(`GET ${url} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)).toEqual([200])
  }
  expect(seen().slice(before)).toEqual(Array.from({ length: 4 }, () => ['GET', url, '']))
}

const lines = (...all: string[]) => all.join('\r\n')
const post = (...headers: string[]) => lines('POST /v1/events HTTP/1.1', 'host: localhost', ...headers, '', '')
const get = (path: string, ...headers: string[]) => lines(`GET ${path} HTTP/1.1`, 'host: localhost', ...headers, '', '')
const smuggled = 'GET /v1/balance HTTP/1.1\r\nhost: localhost\r\n\r\n'
const event: Seen = ['POST', '/v1/events', '{}']

describe('nginx refuses', () => {
  test.for([
    [
      'Content-Length before Transfer-Encoding',
      `${post('content-length: 6', 'transfer-encoding: chunked')}0\r\n\r\n${smuggled}`,
    ],
    [
      'Transfer-Encoding before Content-Length',
      `${post('transfer-encoding: chunked', 'content-length: 4')}2\r\n{}\r\n0\r\n\r\n${smuggled}`,
    ],
    ['two different Content-Length', `${post('content-length: 2', 'content-length: 60')}{}${smuggled}`],
    ['two equal Content-Length', `${post('content-length: 2', 'content-length: 2')}{}${smuggled}`],
    ['a list as Content-Length', `${post('content-length: 2, 2')}{}${smuggled}`],
    ['a sign in Content-Length', `${post('content-length: +2')}{}${smuggled}`],
    ['a negative Content-Length', `${post('content-length: -1')}{}${smuggled}`],
    ['a hexadecimal Content-Length', `${post('content-length: 0x2')}{}${smuggled}`],
    ['a Content-Length beyond 64 bits', `${post('content-length: 18446744073709551618')}{}${smuggled}`],
    ['an unknown Transfer-Encoding', `${post('transfer-encoding: xchunked')}2\r\n{}\r\n0\r\n\r\n`],
    ['a list as Transfer-Encoding', `${post('transfer-encoding: chunked, identity')}2\r\n{}\r\n0\r\n\r\n`],
    [
      'two Transfer-Encoding',
      `${post('transfer-encoding: chunked', 'transfer-encoding: identity')}2\r\n{}\r\n0\r\n\r\n`,
    ],
    ['a space before the colon', `${post('transfer-encoding : chunked')}2\r\n{}\r\n0\r\n\r\n${smuggled}`],
    ['a vertical tab in Transfer-Encoding', `${post('transfer-encoding: \x0bchunked')}2\r\n{}\r\n0\r\n\r\n`],
    [
      'Transfer-Encoding in HTTP/1.0',
      'POST /v1/events HTTP/1.0\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a chunk size beyond 64 bits', `${post('transfer-encoding: chunked')}10000000000000002\r\n{}\r\n0\r\n\r\n`],
    ['a chunk that is longer than its size', `${post('transfer-encoding: chunked')}1\r\n{}\r\n0\r\n\r\n${smuggled}`],
    ['a negative chunk size', `${post('transfer-encoding: chunked')}-2\r\n{}\r\n0\r\n\r\n`],
    ['a folded header', get('/v1/counts', 'x-a: b', ' content-length: 50')],
    ['a space in a name', get('/v1/counts', 'content length: 50')],
    ['a header without a colon', get('/v1/counts', 'content-length')],
    ['a bare CR in a header', get('/v1/counts', 'x-a: b\rcontent-length: 50')],
    ['U+0000 in a header', get('/v1/counts', 'x-a: b\0c')],
    ['no Host', 'GET /v1/counts HTTP/1.1\r\n\r\n'],
    ['two Host', get('/v1/counts', 'host: counts.example.org')],
    ['another Host in the URL', 'GET http://evil.example/v1/counts HTTP/1.1\r\nhost: localhost\r\n\r\n'],
    ['a Host with a path', 'GET /v1/counts HTTP/1.1\r\nhost: localhost/v1\r\n\r\n'],
    ['a tab in the request line', 'GET\t/v1/counts HTTP/1.1\r\nhost: localhost\r\n\r\n'],
    ['a method in lower case', 'get /v1/counts HTTP/1.1\r\nhost: localhost\r\n\r\n'],
    ['HTTP/2.0 without its preface', 'GET /v1/counts HTTP/2.0\r\nhost: localhost\r\n\r\n'],
    ['CONNECT', 'CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n'],
    ['a line break in a path that is forwarded', get('/v1/keys/a%0a')],
    ['the same at the end of a fixed path', get('/v1/session%0a')],
    ['a request line in a path', get('/v1/keys/a%20HTTP/1.1%0d%0ax:%20y')],
    ['path traversal to a private path, with encoded slashes', get('/v1/counts/..%2f..%2fmetrics')],
    ['path traversal with encoded dots', get('/v1/counts/%2e%2e/%2e%2e/metrics')],
  ] as const)('%s', async ([, bytes]) => {
    const answers = await statuses(bytes)
    expect(
      answers.slice(0, 1).every((status) => status >= 400),
      `${answers}`,
    ).toBe(true)
    expect(seen()).toEqual([])
    await probe()
  })

  test('HTTP/0.9, which has no headers', async () => {
    expect(await statuses('GET /v1/counts\r\n')).toEqual([])
    expect(seen()).toEqual([])
    await probe()
  })
})

describe('nginx and the service agree about', () => {
  test.for<[name: string, bytes: string, expected: readonly Seen[]]>([
    ['a chunked body', `${post('transfer-encoding: chunked')}1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n`, [event]],
    ['trailers', `${post('transfer-encoding: chunked')}2\r\n{}\r\n0\r\ncontent-length: 99\r\n\r\n`, [event]],
    ['Transfer-Encoding in capitals', `${post('TRANSFER-ENCODING: CHUNKED')}2\r\n{}\r\n0\r\n\r\n`, [event]],
    ['lines that end with only LF', 'POST /v1/events HTTP/1.1\nhost: localhost\ncontent-length: 2\n\n{}', [event]],
    ['pipelined requests', `${post('content-length: 2')}{}${get('/v1/counts')}`, [event, ['GET', '/v1/counts', '']]],
    [
      'a GET with a body',
      `${get('/v1/counts', `content-length: ${smuggled.length}`)}${smuggled}`,
      [['GET', '/v1/counts', smuggled]],
    ],
    [
      'a served host in the URL',
      lines('GET http://localhost/v1/counts?a=b HTTP/1.1', 'host: localhost', '', ''),
      [['GET', '/v1/counts?a=b', '']],
    ],
    ['HTTP/1.2', 'GET /v1/counts HTTP/1.2\r\nhost: localhost\r\n\r\n', [['GET', '/v1/counts', '']]],
    [
      'header names with an underscore',
      get('/v1/counts', 'content_length: 5', 'transfer_encoding: chunked'),
      [['GET', '/v1/counts', '']],
    ],
    [
      'headers that Connection names',
      `${post('content-length: 2', 'connection: content-length, x-request-id')}{}`,
      [event],
    ],
    [
      'an upgrade to h2c',
      get('/v1/counts', 'connection: upgrade, http2-settings', 'upgrade: h2c', 'http2-settings: AAMAAABkAAQAAP__'),
      [['GET', '/v1/counts', '']],
    ],
    ['encoded line breaks in a path', get('/v1/events/a%0d%0ax:%20y'), [['GET', '/v1/events/a%0D%0Ax:%20y', '']]],
    ['redundant slashes and dots', get('//v1/./counts/x/..//series'), [['GET', '/v1/counts/series', '']]],
  ])('%s', async ([, bytes, expected]) => {
    const answers = await statuses(bytes)
    expect(seen()).toEqual(expected)
    expect(answers).toEqual(expected.map(([method]) => (method === 'POST' ? 202 : 200)))
    for (const { headers } of nginx.passed) {
      expect(headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/)
      expect([headers.upgrade, headers.connection, headers.content_length]).toEqual([undefined, undefined, undefined])
    }
    await probe()
  })
})

describe('over HTTP/2', () => {
  const pseudo = (changes: Record<string, string> = {}): RawHeader[] =>
    Object.entries({
      ':method': 'GET',
      ':scheme': 'https',
      ':authority': 'localhost',
      ':path': '/v1/counts',
      ...changes,
    })
  const ca = () => readFileSync(join(nginx.dir, 'certificate', 'certificate.pem'))

  test('an ordinary request is served', async () => {
    expect(await sendHttp2(nginx.tlsPort, ca(), pseudo())).toBe('200')
    expect(seen()).toEqual([['GET', '/v1/counts', '']])
  })

  test.for<[name: string, headers: readonly RawHeader[], body?: string]>([
    ['a line break in a value', [...pseudo(), ['x-a', 'b\r\ncontent-length: 50']]],
    ['a line break in a name', [...pseudo(), ['x-a: b\r\nx-c', 'd']]],
    ['U+0000 in a value', [...pseudo(), ['x-a', 'b\0c']]],
    ['a colon in a name', [...pseudo(), ['x:a', 'b']]],
    ['a name in capitals', [...pseudo(), ['X-A', 'b']]],
    ['a request line as method', pseudo({ ':method': 'GET /v1/balance HTTP/1.1\r\nx: y\r\n\r\nGET' })],
    ['a space in the method', pseudo({ ':method': 'GET x' })],
    ['a line break in the path', pseudo({ ':path': '/v1/counts HTTP/1.1\r\nhost: evil\r\n\r\n' })],
    ['an empty path', pseudo({ ':path': '' })],
    ['no path', pseudo().filter(([name]) => name !== ':path')],
    ['two paths', [...pseudo(), [':path', '/v1/balance']]],
    ['an unknown pseudo header', [...pseudo(), [':protocol2', 'x']]],
    ['a foreign authority', pseudo({ ':authority': 'evil.example' })],
    ['a line break in the authority', pseudo({ ':authority': 'localhost\r\nx: y' })],
    [
      'a longer body than Content-Length',
      [...pseudo({ ':method': 'POST', ':path': '/v1/events' }), ['content-length', '1']],
      `{}${smuggled}`,
    ],
    [
      'a shorter body than Content-Length',
      [...pseudo({ ':method': 'POST', ':path': '/v1/events' }), ['content-length', '99']],
      '{}',
    ],
    [
      'two Content-Length',
      [...pseudo({ ':method': 'POST', ':path': '/v1/events' }), ['content-length', '2'], ['content-length', '9']],
      '{}',
    ],
  ])('nginx refuses %s', async ([, headers, body]) => {
    expect(await sendHttp2(nginx.tlsPort, ca(), headers, body)).not.toBe('200')
    expect(seen()).toEqual([])
    await probe()
  })

  test.for<[name: string, headers: readonly RawHeader[]]>([
    ['Transfer-Encoding', [['transfer-encoding', 'chunked']]],
    ['another Host', [['host', 'counts.example.org']]],
    ['Connection', [['connection', 'close']]],
    [
      'a pseudo header after others',
      [
        ['x-a', 'b'],
        [':path', '/v1/events'],
      ],
    ],
  ])('%s is refused or changes nothing', async ([, headers]) => {
    const own = headers.map(([name]) => name)
    const others = pseudo({ ':method': 'POST', ':path': '/v1/events' }).filter(([name]) => !own.includes(name))
    const all = [...others, ...headers]
    const outcome = await sendHttp2(nginx.tlsPort, ca(), all, `{}${smuggled}`)
    if (outcome === 'refused' || outcome === '400') expect(seen()).toEqual([])
    else {
      expect(seen()).toEqual([['POST', '/v1/events', `{}${smuggled}`]])
      expect(nginx.passed[0]?.headers).toMatchObject({ host: 'localhost' })
      expect(nginx.passed[0]?.headers).not.toHaveProperty('connection')
      expect(nginx.passed[0]?.headers).not.toHaveProperty('transfer-encoding')
    }
    await probe()
  })
})
