import { brotliCompressSync, gzipSync } from 'node:zlib'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { describe, expect, test } from 'vitest'
import { createBench, expectProblem, keys, noise, post } from './ingest-under-test.ts'

type Headers = Record<string, string>

/** Bodies that cannot be read, or that are not an event. Every route refuses them in the same way. */
const unreadable: [name: string, body: string | Buffer, headers: Headers, status: number, code: string][] = [
  ['broken JSON', '{"target":', {}, 400, 'body_not_json'],
  ['two JSON texts', '{"target":"t"}{"target":"t"}', {}, 400, 'body_not_json'],
  ['an empty body', '', {}, 400, 'body_not_json'],
  ['NaN, which is not JSON', '{"target":NaN}', {}, 400, 'body_not_json'],
  ['nesting without end', '['.repeat(30_000), {}, 400, 'body_not_json'],
  ['invalid UTF-8', Buffer.from('{"target":"\xff"}', 'latin1'), {}, 400, 'body_not_utf8'],
  [
    'UTF-8 that encodes a surrogate',
    Buffer.from('7b22ed a0 80227d'.replaceAll(' ', ''), 'hex'),
    {},
    400,
    'body_not_utf8',
  ],
  ['UTF-16', Buffer.from('\ufeff{"target":"t"}', 'utf16le'), {}, 400, 'body_not_utf8'],
  ['plain text declared as gzip', '{}', { 'content-encoding': 'gzip' }, 400, 'body_encoding_broken'],
  [
    'truncated gzip',
    gzipSync(JSON.stringify({ target: noise(5_000) })).subarray(0, 1_000),
    { 'content-encoding': 'gzip' },
    400,
    'body_encoding_broken',
  ],
  ['gzip of nothing', Buffer.alloc(0), { 'content-encoding': 'gzip' }, 400, 'body_encoding_broken'],
  [
    'gzip with a wrong checksum',
    Buffer.from(gzipSync('{"target":"t"}').map((byte, at, bytes) => (at === bytes.length - 8 ? byte ^ 1 : byte))),
    { 'content-encoding': 'gzip' },
    400,
    'body_encoding_broken',
  ],
  [
    'truncated brotli',
    brotliCompressSync(noise(5_000)).subarray(0, 1_000),
    { 'content-encoding': 'br' },
    400,
    'body_encoding_broken',
  ],
  ['a body of 2 MiB', 'x'.repeat(2 * 1024 * 1024), {}, 413, 'body_too_large'],
  ['a gzip bomb', gzipSync(Buffer.alloc(100 * 1024 * 1024)), { 'content-encoding': 'gzip' }, 413, 'inflated_too_large'],
  [
    'a brotli bomb',
    brotliCompressSync(Buffer.alloc(20 * 1024 * 1024)),
    { 'content-encoding': 'br' },
    413,
    'inflated_too_large',
  ],
  ['an unsupported encoding', '{"target":"t"}', { 'content-encoding': 'zstd' }, 415, 'encoding_unsupported'],
  [
    'an encoding twice',
    gzipSync(gzipSync('{"target":"t"}')),
    { 'content-encoding': 'gzip, gzip' },
    415,
    'encoding_unsupported',
  ],
  ['an encoding called __proto__', '{"target":"t"}', { 'content-encoding': '__proto__' }, 415, 'encoding_unsupported'],
  ['another content type', '{"target":"t"}', { 'content-type': 'text/plain' }, 415, 'media_type_unsupported'],
  ['a form', 'target=t', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'media_type_unsupported'],
  ['an invalid content type', '{"target":"t"}', { 'content-type': ';;;' }, 415, 'media_type_unsupported'],
]

/** JSON that is not a valid event. Written as text, because JavaScript objects cannot express all of it. */
const badEvents: [name: string, event: string, code: string, field: string | undefined][] = [
  ['null', 'null', 'not_an_object', undefined],
  ['a number', '7', 'not_an_object', undefined],
  ['an array', '[]', 'not_an_object', undefined],
  ['no target', '{}', 'missing_field', 'target'],
  ['an unknown field', '{"target":"t","colour":"red"}', 'unknown_field', 'colour'],
  ['__proto__ as a field', '{"target":"t","__proto__":{"bot":true}}', 'unknown_field', '__proto__'],
  ['__proto__ in its props', '{"target":"t","props":{"__proto__":{"a":1}}}', 'invalid_field', 'props.__proto__'],
  ['a target of 257 characters', `{"target":"${'x'.repeat(257)}"}`, 'invalid_field', 'target'],
  ['a prop that is not finite', '{"target":"t","props":{"big":1e999}}', 'invalid_field', 'props.big'],
  ['U+0000 in its target', '{"target":"a\\u0000b"}', 'nul_character', 'target'],
  ['U+0000 in the name of a prop', '{"target":"t","props":{"\\u0000":1}}', 'nul_character', 'props.\0'],
  ['half of a surrogate pair', '{"target":"\\ud83d"}', 'lone_surrogate', 'target'],
  ['an id of version 4', '{"target":"t","id":"0f8fad5b-d9cb-469f-a165-70867728950e"}', 'id_not_v7', 'id'],
  ['an id that is no UUID', '{"target":"t","id":"1"}', 'id_not_v7', 'id'],
  ['an id made in 2015', `{"target":"t","id":"${randomUuidV7(Date.UTC(2015, 0, 1))}"}`, 'id_too_old', 'id'],
  ['an id made in 2099', `{"target":"t","id":"${randomUuidV7(Date.UTC(2099, 0, 1))}"}`, 'id_in_future', 'id'],
  ['a time in 2015', '{"target":"t","occurredAt":"2015-06-01T00:00:00Z"}', 'too_old', 'occurredAt'],
  [
    'a day that does not exist',
    '{"target":"t","occurredAt":"2015-02-30T00:00:00Z"}',
    'occurred_at_invalid',
    'occurredAt',
  ],
]
const aboutTime = ['id_too_old', 'id_in_future', 'too_old']

describe.each(['/v1/events', '/v1/events/batch', '/v1/backfill'])('POST %s refuses', (url) => {
  test('unreadable bodies, each with its own code, and queues nothing', async () => {
    const { app, broker } = await createBench()
    for (const [name, body, headers, status, code] of unreadable) {
      const answer = await post(app, url, body, headers)
      expect({ name, code: answer.body.code }).toEqual({ name, code })
      expectProblem(answer, status, code)
    }
    expect(await broker.depth()).toBe(0)
  })

  test('a request without a body and without a content type', async () => {
    const { app, broker } = await createBench()
    const response = await app.inject({ method: 'POST', url, headers: { authorization: `Bearer ${keys.secret.text}` } })
    const answer = { status: response.statusCode, headers: response.headers, body: response.json() }
    expectProblem(answer, 415, 'media_type_unsupported')
    expect(await broker.depth()).toBe(0)
  })

  test('an unreadable body, without revealing its content', async () => {
    const { app } = await createBench()
    const secret = 'sk_live_51H8'
    for (const body of [`{"target":${secret}`, `{"target":"t" "${secret}"}`, secret, `{"a":"b",}${secret}`]) {
      const answer = await post(app, url, body)
      expectProblem(answer, 400, 'body_not_json')
      expect(JSON.stringify(answer.body)).not.toContain(secret)
    }
  })
})

describe('POST /v1/events refuses', () => {
  test('an invalid event, with a code and the field, and queues nothing', async () => {
    const { app, broker } = await createBench()
    for (const [name, event, code, field] of badEvents) {
      const answer = await post(app, '/v1/events', event)
      expect({ name, code: answer.body.code, field: answer.body.field }).toEqual({ name, code, field })
      expectProblem(answer, 422, code)
      expect(answer.body.serverTime !== undefined, name).toBe(aboutTime.includes(code))
    }
    expect(await broker.depth()).toBe(0)
  })

  test('an event larger than 32 KiB', async () => {
    const { app } = await createBench()
    const props = Object.fromEntries(Array.from({ length: 30 }, (_, key) => [`k${key}`, 'ä'.repeat(1024)]))
    expectProblem(await post(app, '/v1/events', { target: 't', props }), 413, 'event_too_large')
  })

  test('NDJSON, which is for batches', async () => {
    const { app } = await createBench()
    const answer = await post(app, '/v1/events', '{"target":"t"}', { 'content-type': 'application/x-ndjson' })
    expectProblem(answer, 415, 'media_type_unsupported')
  })

  test('an event that is nested very deeply', async () => {
    const { app } = await createBench()
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`
    expectProblem(await post(app, '/v1/events', deep), 422, 'event_too_complex')
    expectProblem(await post(app, '/v1/events', `{"target":"t","props":{"a":${deep}}}`), 422, 'event_too_complex')
  })

  test('an event that is nested slightly, with the name of the field', async () => {
    const { app } = await createBench()
    expectProblem(await post(app, '/v1/events', '[[[]]]'), 422, 'not_an_object')
    expectProblem(await post(app, '/v1/events', '{"target":"t","props":{"a":[[[{}]]]}}'), 422, 'invalid_field')
  })

  test('a batch', async () => {
    const { app } = await createBench()
    const answer = await post(app, '/v1/events', { events: [{ target: 't' }] })
    expectProblem(answer, 422, 'unknown_field')
  })
})

describe.each(['/v1/events/batch', '/v1/backfill'])('POST %s refuses', (url) => {
  test.each<[string, unknown, number, string]>([
    ['an event alone', { target: 't' }, 422, 'batch_invalid'],
    ['an array', [{ target: 't' }], 422, 'batch_invalid'],
    ['null', null, 422, 'batch_invalid'],
    ['events that are no array', { events: { target: 't' } }, 422, 'batch_invalid'],
    ['a field beside the events', { events: [{ target: 't' }], key: 'k' }, 422, 'batch_invalid'],
    ['__proto__ in place of the events', '{"__proto__":{"events":[{"target":"t"}]}}', 422, 'batch_invalid'],
    ['no event', { events: [] }, 422, 'batch_empty'],
    ['501 events', { events: Array.from({ length: 501 }, () => ({ target: 't' })) }, 413, 'too_many_events'],
  ])('%s', async (_name, body, status, code) => {
    const { app, broker } = await createBench()
    expectProblem(await post(app, url, body), status, code)
    expect(await broker.depth()).toBe(0)
  })

  test.each<[string, string, number, string]>([
    ['no line', '\n \n\r\n', 422, 'batch_empty'],
    ['501 lines', '{"target":"t"}\n'.repeat(501), 413, 'too_many_events'],
  ])('NDJSON with %s', async (_name, body, status, code) => {
    const { app } = await createBench()
    const answer = await post(app, url, body, { 'content-type': 'application/x-ndjson' })
    expectProblem(answer, status, code)
  })

  test.each(['json', 'x-ndjson'])('very deeply nested events, each separately: %s', async (type) => {
    const { app } = await createBench()
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
    const good = JSON.stringify({ target: 't', occurredAt: new Date().toISOString() })
    const events = [`{"target":"t","props":{"a":${deep}}}`, deep, good]
    const body = type === 'json' ? `{"events":[${events.join(',')}]}` : events.join('\n')
    const answer = await post(app, url, body, { 'content-type': `application/${type}` })
    expect(answer).toMatchObject({ status: 202, body: { accepted: 1, rejected: 2 } })
  })
})

describe('POST /v1/events/batch refuses', () => {
  test('a batch of only invalid events with 422 and a result for each, and queues nothing', async () => {
    const { app, broker } = await createBench()
    const answer = await post(app, '/v1/events/batch', `{"events":[${badEvents.map(([, event]) => event).join(',')}]}`)
    expect(answer.status).toBe(422)
    expect(answer.body).toEqual({
      accepted: 0,
      rejected: badEvents.length,
      results: badEvents.map(([, event, code, field], index) => ({
        index,
        id: (JSON.parse(event) as { id?: string } | null)?.id ?? null,
        status: 'rejected',
        code,
        detail: expect.any(String),
        ...(field !== undefined && { field }),
        ...(aboutTime.includes(code) && { serverTime: expect.stringMatching(/Z$/) }),
      })),
    })
    expect(await broker.depth()).toBe(0)
  })
})

describe('any other path', () => {
  test.each([
    ['GET', '/v1/events'],
    ['PUT', '/v1/events'],
    ['POST', '/v1/nothing'],
    ['POST', '/v1/events/'],
    ['GET', '/%zz'],
  ] as const)('%s %s is answered with a problem too', async (method, url) => {
    const { app } = await createBench()
    const response = await app.inject({ method, url })
    const answer = { status: response.statusCode, headers: response.headers, body: response.json() }
    if (url === '/%zz') expectProblem(answer, 400, 'bad_request')
    else if (url === '/v1/events') {
      expectProblem(answer, 405, 'method_not_allowed')
      expect(answer.headers.allow).toBe('OPTIONS, POST')
    } else expectProblem(answer, 404, 'not_found')
  })
})
