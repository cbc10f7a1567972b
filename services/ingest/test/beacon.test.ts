import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { makeKey } from '@clicktally/keys/key-text.ts'
import { describe, expect, test } from 'vitest'
import { createBench, drain, expectProblem, keys, pageOrigin, post, snapshotOfKeys } from './ingest-under-test.ts'

const fromPage = { authorization: '', origin: pageOrigin, 'content-type': 'text/plain;charset=UTF-8' }

/** Sends a body as a page does: as text/plain, without headers of its own. */
async function beacon(app: HttpApp, url: string, body: unknown, headers: Record<string, string> = {}) {
  const { authorization: _none, ...rest } = { ...fromPage, ...headers }
  const response = await app.inject({
    ...{ method: 'POST', url, headers: rest },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.statusCode, headers: response.headers, text: response.body }
}

const codeOf = ({ text }: { text: string }) => JSON.parse(text).code

describe.each([
  { path: '/v1/c', accepted: 202 },
  { path: '/v1/beacon', accepted: 204 },
])('POST $path', ({ path, accepted }) => {
  const withKey = `${path}?key=${keys.write.text}`

  test('accepts a batch or a single event as text/plain, with the key in the query or in the body', async () => {
    const { app, broker } = await createBench()
    const ids = Array.from({ length: 5 }, () => randomUuidV7(Date.now()))
    const sent = [
      await beacon(app, withKey, { events: [{ id: ids[0], target: 'a' }] }),
      await beacon(app, withKey, { id: ids[1], target: 'a' }),
      await beacon(app, path, { key: keys.write.text, events: [{ id: ids[2], target: 'a' }] }),
      await beacon(app, path, { key: keys.write.text, id: ids[3], target: 'a' }),
      await beacon(
        app,
        `${path}?x=1&key=${keys.write.text}&y=2`,
        { id: ids[4], target: 'a' },
        { 'content-type': 'application/json' },
      ),
    ]
    expect(sent.map(({ status }) => status)).toEqual(ids.map(() => accepted))
    for (const { text, headers } of sent) {
      expect(headers['access-control-allow-origin']).toBe(pageOrigin)
      if (accepted === 204) expect(text).toBe('')
      else expect(JSON.parse(text)).toMatchObject({ accepted: 1, rejected: 0, results: [{ status: 'accepted' }] })
    }
    expect((await drain(broker)).clicks.map(({ id }) => id).sort()).toEqual(ids.sort())
  })

  test('each event of a batch is accepted or rejected on its own, and all rejected is 422', async () => {
    const { app, broker } = await createBench()
    const mixed = await beacon(app, withKey, { events: [{ target: 'a' }, { target: '' }] })
    expect(mixed.status).toBe(accepted)
    if (accepted === 202) expect(JSON.parse(mixed.text)).toMatchObject({ accepted: 1, rejected: 1 })
    const refused = await beacon(app, withKey, { target: '' })
    expect([refused.status, JSON.parse(refused.text).results[0].code]).toEqual([422, 'invalid_field'])
    expect((await drain(broker)).clicks).toHaveLength(1)
  })

  test('a retry by nginx has the same ids', async () => {
    const { app, broker } = await createBench()
    const headers = { 'x-request-id': 'beac0n', 'x-request-start': `t=${(Date.now() / 1000 - 2).toFixed(3)}` }
    for (const _ of [1, 2]) await beacon(app, withKey, { events: [{ target: 'a' }, { target: 'b' }] }, headers)
    const { clicks } = await drain(broker)
    expect([clicks.length, new Set(clicks.map(({ id }) => id)).size]).toEqual([4, 2])
  })

  test.each([
    ['no key', path, {}, 401, 'key_missing'],
    ['an unknown key in the query', `${path}?key=${makeKey('write').text}`, {}, 401, 'key_unknown'],
    ['an unknown key in the body', path, { key: makeKey('write').text }, 401, 'key_unknown'],
    ['a percent-encoded key, which nginx would not limit', withKey.replace('=ct', '=%63t'), {}, 401, 'key_malformed'],
    ['a secret key in the URL', `${path}?key=${keys.secret.text}`, {}, 403, 'key_in_url'],
    ['an owner key in the URL', `${path}?key=${keys.owner.text}`, {}, 403, 'key_in_url'],
    ['a read key', path, { key: keys.read.text }, 403, 'right_missing'],
  ])('is refused with %s', async (_what, url, more, status, code) => {
    const { app, broker } = await createBench()
    const answer = await beacon(app, url, { ...more, events: [{ target: 'a' }] })
    expect([answer.status, codeOf(answer)]).toEqual([status, code])
    expect((await drain(broker)).clicks).toEqual([])
  })

  test('with the header Authorization has the key in that, where nginx finds it, and nowhere else', async () => {
    const { app } = await createBench()
    const basic = `Basic ${Buffer.from(`${keys.write.text}:`).toString('base64')}`
    for (const authorization of [basic, 'Bearer', 'x', `Bearer ${makeKey('write').text}`]) {
      const response = await app.inject({
        ...{ method: 'POST', url: withKey, headers: { ...fromPage, authorization } },
        payload: '{"target":"a"}',
      })
      expect([authorization, response.statusCode]).toEqual([authorization, 401])
    }
  })

  test('is refused from a page of another origin, and from a program without an origin', async () => {
    const { app } = await createBench()
    for (const origin of ['https://evil.example', 'null']) {
      const answer = await beacon(app, withKey, { target: 'a' }, { origin })
      expect([answer.status, codeOf(answer), answer.headers['access-control-allow-origin']]).toEqual([
        ...[403, 'origin_not_allowed', undefined],
      ])
    }
    const { statusCode } = await app.inject({
      ...{ method: 'POST', url: withKey, headers: { 'content-type': 'text/plain' }, payload: '{"target":"a"}' },
    })
    expect(statusCode).toBe(403)
  })

  test('a bad body is refused, and the page can read why', async () => {
    const { app } = await createBench()
    const bodies: [string, number, string][] = [
      ['', 400, 'body_not_json'],
      ['{"target":', 400, 'body_not_json'],
      ['[]', 422, 'batch_invalid'],
      ['{"events":{}}', 422, 'batch_invalid'],
      ['{"events":[{"target":"a"}],"more":1}', 422, 'batch_invalid'],
      ['{"events":[]}', 422, 'batch_empty'],
      [JSON.stringify({ events: Array.from({ length: 501 }, () => ({ target: 'a' })) }), 413, 'too_many_events'],
      [`{"target":"${'a'.repeat(140_000)}"}`, 413, 'body_too_large'],
    ]
    for (const [body, status, code] of bodies) {
      const answer = await beacon(app, withKey, body)
      expect([answer.status, codeOf(answer), answer.headers['access-control-allow-origin']]).toEqual([
        ...[status, code, pageOrigin],
      ])
    }
  })

  test('a body with more structure than any batch is not parsed as a whole', async () => {
    const { app } = await createBench()
    const body = `{"events":[{"target":"a"},${'['.repeat(3_000)}${']'.repeat(3_000)}]}`
    expect((await beacon(app, withKey, body)).status).toBe(accepted)
    const inBody = await beacon(app, path, body.replace('{', `{"key":"${keys.write.text}",`))
    expect([inBody.status, codeOf(inBody)]).toEqual([422, 'batch_invalid'])
  })

  test('is refused beyond the limit of its key', async () => {
    const { app, ring } = await createBench()
    const limited = makeKey('write')
    const key = { id: limited.id, hash: limited.hash, role: 'write' as const, projectId: 1, origins: [pageOrigin] }
    ring.replace(snapshotOfKeys({ version: 2, keys: [{ ...key, clicksPerSecond: 1 }] }))
    const batch = { events: Array.from({ length: 500 }, () => ({ target: 'a' })) }
    expect((await beacon(app, `${path}?key=${limited.text}`, batch)).status).toBe(accepted)
    const refused = await beacon(app, path, { key: limited.text, ...batch })
    expect([refused.status, codeOf(refused)]).toEqual([429, 'key_limit_exceeded'])
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(1)
  })
})

describe('GET /v1/p.gif', () => {
  async function pixel(app: HttpApp, query: string, headers: Record<string, string> = {}) {
    const answer = await app.inject({ ...{ method: 'GET', url: `/v1/p.gif?${query}`, headers } })
    expect(answer.statusCode).toBe(200)
    expect(answer.headers).toMatchObject({ 'content-type': 'image/gif', 'cache-control': 'no-store' })
    expect(answer.rawPayload.subarray(0, 6).toString()).toBe('GIF89a')
    return answer.headers
  }
  const withKey = `key=${keys.write.text}`
  const onPage = { referer: `${pageOrigin}/` }

  test('sends a click with its fields, and answers with an image after the confirm', async () => {
    const { app, broker } = await createBench()
    const query = new URLSearchParams({ key: keys.write.text, target: 'mail', visitorId: 'v', 'props.issue': '7' })
    const headers = await pixel(app, String(query), onPage)
    expect(headers).toMatchObject({ 'clicktally-outcome': 'accepted', 'clicktally-id': expect.stringMatching(/-7/) })
    expect((await drain(broker)).clicks).toMatchObject([
      { id: headers['clicktally-id'], target: 'mail', visitorId: 'v', props: { issue: '7' }, projectId: 1 },
    ])
  })

  test('a retry by nginx has the same id', async () => {
    const { app, broker } = await createBench()
    const headers = { ...onPage, 'x-request-id': 'f1', 'x-request-start': `t=${(Date.now() / 1000 - 2).toFixed(3)}` }
    for (const _ of [1, 2]) await pixel(app, `${withKey}&target=a`, headers)
    const { clicks } = await drain(broker)
    expect([clicks.length, new Set(clicks.map(({ id }) => id)).size]).toEqual([2, 1])
  })

  test.each([
    ['no key', 'target=a', onPage, 'key_missing'],
    ['an unknown key', `key=${makeKey('write').text}&target=a`, onPage, 'key_unknown'],
    ['a secret key', `key=${keys.secret.text}&target=a`, {}, 'key_in_url'],
    ['no Referer', `${withKey}&target=a`, {}, 'origin_not_allowed'],
    [
      'the Referer of another origin',
      `${withKey}&target=a`,
      { referer: 'https://evil.example/' },
      'origin_not_allowed',
    ],
    ['a Referer that is no URL', `${withKey}&target=a`, { referer: 'nonsense' }, 'origin_not_allowed'],
    ['no target', withKey, onPage, 'missing_field'],
    ['two targets', `${withKey}&target=a&target=b`, onPage, 'invalid_field'],
    ['an unknown parameter', `${withKey}&target=a&colour=red`, onPage, 'unknown_field'],
    ['a hostile name of a prop', `${withKey}&target=a&props.__proto__=x&props.a=b`, onPage, 'accepted'],
  ])('always answers with the image, and tells the outcome: %s', async (_what, query, headers, outcome) => {
    const { app, broker } = await createBench()
    expect((await pixel(app, query, headers))['clicktally-outcome']).toBe(outcome)
    expect((await drain(broker)).clicks).toHaveLength(outcome === 'accepted' ? 1 : 0)
  })

  test('is not counted by a HEAD request', async () => {
    const { app, broker } = await createBench()
    const { statusCode } = await app.inject({
      ...{ method: 'HEAD', url: `/v1/p.gif?${withKey}&target=a`, headers: onPage },
    })
    expect(statusCode).toBe(405)
    expect((await drain(broker)).clicks).toEqual([])
  })

  test('with the header Authorization has the key in that, as nginx assumes', async () => {
    const { app, broker } = await createBench()
    for (const authorization of ['x', `Bearer ${makeKey('write').text}`]) {
      const headers = await pixel(app, `${withKey}&target=a`, { ...onPage, authorization })
      expect(headers['clicktally-outcome']).toMatch(/^key_(malformed|unknown)$/)
    }
    expect((await drain(broker)).clicks).toEqual([])
  })

  test('tells that the click was not confirmed', async () => {
    const { app, broker } = await createBench({ confirmWithinMs: 300 })
    await broker.channel.deleteQueue('clicks')
    const headers = await pixel(app, `${withKey}&target=a`, onPage)
    expect(headers['clicktally-outcome']).toBe('unroutable')
    expect(Number(headers['retry-after'])).toBeGreaterThan(0)
  })
})

test('an unsupported content type is refused: only pages that cannot send JSON need text/plain', async () => {
  const { app } = await createBench()
  expectProblem(
    await post(app, '/v1/events', '{"target":"a"}', { 'content-type': 'text/plain' }),
    415,
    'media_type_unsupported',
  )
})
