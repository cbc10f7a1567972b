import { describe, expect, it } from 'vitest'
import { parseLogLine } from '../log-line.ts'

const time = '[17/May/2015:10:05:03 +0000]'
const timeMs = Date.parse('2015-05-17T10:05:03Z')
const browser = 'Mozilla/5.0 (X11; Linux x86_64) Firefox/138.0'

function targetOf(request: string): string | undefined {
  return parseLogLine(`192.0.2.1 - - ${time} "${request}" 200 5`)?.target
}

function addressOf(prefix: string): string | undefined {
  return parseLogLine(`${prefix} ${time} "GET / HTTP/1.1" 200 5`)?.address
}

describe('an access log line', () => {
  it('may be in the common format', () => {
    const line = `192.0.2.1 - frank ${time} "GET /apache_pb.gif HTTP/1.0" 200 2326`
    expect(parseLogLine(line)).toEqual({ timeMs, target: '/apache_pb.gif', address: '192.0.2.1' })
  })

  it('may be in the combined format', () => {
    const line = `192.0.2.1 - - ${time} "GET /a HTTP/1.1" 200 5 "https://example.com/x" "${browser}"`
    expect(parseLogLine(line)).toEqual({
      timeMs,
      target: '/a',
      address: '192.0.2.1',
      referrer: 'https://example.com/x',
      userAgent: browser,
    })
  })

  it('may have fields after the user agent, and a carriage return at the end', () => {
    const line = `192.0.2.1 - - ${time} "GET /a HTTP/1.1" 200 5 "-" "${browser}" "198.51.100.7" 0.003\r`
    expect(parseLogLine(line)).toEqual({ timeMs, target: '/a', address: '192.0.2.1', userAgent: browser })
  })

  it('omits fields that are `-` or empty', () => {
    expect(parseLogLine(`- - - ${time} "GET /a HTTP/1.1" - - "-" ""`)).toEqual({ timeMs, target: '/a' })
  })

  it('may be truncated inside a field', () => {
    const line = `192.0.2.1 - - ${time} "GET /a HTTP/1.1" 200 5 "https://example.com/x" "Mozilla/5.0 (X11`
    expect(parseLogLine(line)).toMatchObject({ referrer: 'https://example.com/x', userAgent: 'Mozilla/5.0 (X11' })
  })

  it('may have escaped quotes and backslashes', () => {
    const line = String.raw`192.0.2.1 - - ${time} "GET /say/\"hi\"/\\ HTTP/1.1" 200 5 "https://e.com/\"" "a \"b\" c\\"`
    expect(parseLogLine(line)).toMatchObject({
      target: String.raw`/say/"hi"/\ `.trim(),
      referrer: 'https://e.com/"',
      userAgent: String.raw`a "b" c\ `.trim(),
    })
  })

  it('may have unescaped quotes in the request', () => {
    expect(targetOf('GET /say/"hi" now HTTP/1.1')).toBe('/say/"hi" now')
  })

  it.each([
    ['203.0.113.9 - -', '203.0.113.9'],
    ['2001:db8::7 - -', '2001:db8::7'],
    ['::ffff:203.0.113.9 - -', '::ffff:203.0.113.9'],
    ['[2001:db8::7] - -', '2001:db8::7'],
    ['www.example.com:443 203.0.113.9 - -', '203.0.113.9'],
    ['www.example.com 2001:db8::7 - frank', '2001:db8::7'],
    ['203.0.113.9 - frank of the hills', '203.0.113.9'],
    ['203.0.113.9, 198.51.100.7 - -', '203.0.113.9'],
    ['host.example.net - -', 'host.example.net'],
    ['www.example.com host.example.net - -', 'host.example.net'],
    ['- - -', undefined],
  ])('with %s in front comes from %s', (prefix, address) => {
    expect(addressOf(prefix)).toBe(address)
  })

  it.each([
    ['[17/May/2015:10:05:03 +0000]', '2015-05-17T10:05:03Z'],
    ['[17/May/2015:10:05:03 +0530]', '2015-05-17T04:35:03Z'],
    ['[31/Dec/2025:20:00:00 -0800]', '2026-01-01T04:00:00Z'],
    ['[1/feb/2024:00:00:00 Z]', '2024-02-01T00:00:00Z'],
    ['[29/Feb/2024:23:59:59.123]', '2024-02-29T23:59:59Z'],
    ['[31/Dec/2016:23:59:60 +0000]', '2017-01-01T00:00:00Z'],
  ])('at %s was written at %s', (text, expected) => {
    const read = parseLogLine(`192.0.2.1 - - ${text} "GET / HTTP/1.1" 200 5`)
    expect(new Date(read?.timeMs ?? 0).toISOString()).toBe(new Date(expected).toISOString())
  })
})

describe('the target of a line', () => {
  it.each([
    ['GET /pricing HTTP/1.1', '/pricing'],
    ['GET /search?q=a&b=c HTTP/2.0', '/search'],
    ['GET /?utm_source=x HTTP/1.1', '/'],
    ['GET ?x=1 HTTP/1.1', '/'],
    ['POST https://example.com:8443/cart?x HTTP/1.1', '/cart'],
    ['GET http://example.com HTTP/1.1', '/'],
    ['GET http://example.com?x HTTP/1.1', '/'],
    ['CONNECT example.com:443 HTTP/1.1', 'example.com:443'],
    ['OPTIONS * HTTP/1.1', '*'],
    ['GET /old', '/old'],
    ['GET /a b c HTTP/1.1', '/a b c'],
    ['GET /caf%C3%A9 HTTP/1.1', '/caf%C3%A9'],
    ['GET /café HTTP/1.1', '/café'],
    ['GET /to HTTP/2 HTTP/1.1', '/to HTTP/2'],
  ])('of %s is %s', (request, target) => {
    expect(targetOf(request)).toBe(target)
  })

  it.each([
    ['-', '-'],
    ['', '-'],
    [' ', '-'],
    ['GET', 'GET'],
    ['GET  HTTP/1.1', 'GET  HTTP/1.1'],
    ['GET HTTP/1.1', 'GET HTTP/1.1'],
    [String.raw`\x16\x03\x01 \x02`, String.raw`\x16\x03\x01 \x02`],
    ['SSH-2.0-Go', 'SSH-2.0-Go'],
  ])('is the request itself if it is malformed: %j', (request, target) => {
    expect(targetOf(request)).toBe(target)
  })

  it('is truncated to 256 UTF-16 code units, but not inside a character', () => {
    expect(targetOf(`GET /${'a'.repeat(400)} HTTP/1.1`)).toBe(`/${'a'.repeat(255)}`)
    expect(targetOf(`GET /${'a'.repeat(254)}😀b HTTP/1.1`)).toBe(`/${'a'.repeat(254)}`)
    expect(targetOf(`GET /${'a'.repeat(253)}😀b HTTP/1.1`)).toBe(`/${'a'.repeat(253)}😀`)
  })

  it('takes linear time to find, even in hostile lines', () => {
    // CPU time does not depend on what else runs on the machine.
    const before = process.cpuUsage()
    for (const filling of [' ', '"', '\\', '\\"', ' HTTP/', '[1/', 'a ']) {
      parseLogLine(`192.0.2.1 - - ${time} "GET /${filling.repeat(60_000 / filling.length)}`)
      parseLogLine(`192.0.2.1 - - ${time} "GET /${filling.repeat(60_000 / filling.length)} HTTP/1.1" 200 5 "a`)
    }
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1_000).toBeLessThan(2_000)
  })
})

describe('a line that is not from an access log', () => {
  it.each([
    '',
    'hello',
    '2025/11/21 10:05:03 [error] 7#7: *1 open() "/x" failed (2: No such file or directory)',
    '{"time":"2025-11-21T10:05:03Z","request":"GET / HTTP/1.1"}',
    `192.0.2.1 - - ${time} GET / HTTP/1.1 200 5`,
    `192.0.2.1 - - ${time} "GET / HTTP/1.1"`,
    `192.0.2.1 - - ${time} "GET / HTT`,
    '192.0.2.1 - - [31/Feb/2025:10:05:03 +0000] "GET / HTTP/1.1" 200 5',
    '192.0.2.1 - - [17/Mai/2025:10:05:03 +0000] "GET / HTTP/1.1" 200 5',
    '192.0.2.1 - - [17/May/2025:24:05:03 +0000] "GET / HTTP/1.1" 200 5',
    '192.0.2.1 - - [17/May/2025:10:60:03 +0000] "GET / HTTP/1.1" 200 5',
  ])('is not read: %s', (line) => {
    expect(parseLogLine(line)).toBeUndefined()
  })
})
