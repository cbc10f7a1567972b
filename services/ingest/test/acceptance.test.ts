import { brotliCompressSync, gzipSync } from 'node:zlib'
import { isUuidV7, randomUuidV7, timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createBench, createIngest, drain, expectProblem, post } from './ingest-under-test.ts'

const hourMs = 3_600_000

describe('POST /v1/events', () => {
  test('answers 202 when the click is in the queue, as it was sent', async () => {
    const { app, broker } = await createBench()
    const event = {
      id: randomUuidV7(Date.now() - 60_000),
      target: 'signup "button" \\ ä 😀 \u2028',
      occurredAt: new Date(Date.now() - 30_000).toISOString(),
      visitorId: 'v',
      url: 'https://example.org/?a=b#c',
      referrer: '',
      props: { text: 'x\ny', number: -1.5, yes: true, none: null },
      bot: true,
    }
    const answer = await post(app, '/v1/events', event, { 'x-request-id': 'request-1' })
    expect(answer).toMatchObject({ status: 202, body: { id: event.id, status: 'accepted' } })
    const { occurredAt, ...fields } = event
    expect((await drain(broker)).clicks).toEqual([
      {
        ...fields,
        projectId: 1,
        occurredAtMs: Date.parse(occurredAt),
        receivedAtMs: expect.any(Number),
        requestId: 'request-1',
      },
    ])
  })

  test('generates an id for an event without one', async () => {
    const { app, broker } = await createBench()
    const before = Date.now()
    const { body } = await post(app, '/v1/events', { target: 't' })
    expect(body.id).toSatisfy(isUuidV7)
    expect(timeOfUuidV7(body.id)).toBeGreaterThanOrEqual(before)
    expect(timeOfUuidV7(body.id)).toBeLessThanOrEqual(Date.now())
    expect((await drain(broker)).clicks).toMatchObject([{ id: body.id }])
  })

  test('generates the same ids when nginx retries a request, at any ingest', async () => {
    const { app, broker } = await createBench()
    const startMs = Date.now() - 2_000
    const headers = { 'x-request-id': 'f00d', 'x-request-start': `t=${(startMs / 1000).toFixed(3)}` }
    const first = await post(app, '/v1/events', { target: 't' }, headers)
    const again = await post(app, '/v1/events', { target: 't' }, headers)
    expect(again.body).toEqual(first.body)
    expect(timeOfUuidV7(first.body.id)).toBe(startMs)
    const otherRequest = await post(app, '/v1/events', { target: 't' }, { ...headers, 'x-request-id': 'beef' })
    expect(otherRequest.body.id).not.toBe(first.body.id)
    const batch = { events: [{ target: 'a' }, { target: 'b' }] }
    const batchHeaders = { ...headers, 'x-request-id': 'cafe' }
    const firstBatch = await post(app, '/v1/events/batch', batch, batchHeaders)
    expect((await post(app, '/v1/events/batch', batch, batchHeaders)).body).toEqual(firstBatch.body)
    expect(new Set((await drain(broker)).clicks.map(({ id }) => id)).size).toBe(4)
  })

  test.each([
    ['that receives the retry 90 s later, after a slow request body', 90_000],
    ['whose clock is five hours ahead', 5 * hourMs],
    ['whose clock is twenty hours behind', -20 * hourMs],
  ])('generates the same ids at a second ingest %s', async (_name, differenceMs) => {
    const { app, broker } = await createBench()
    const second = createIngest(broker.url)
    await second.ready()
    const startMs = Date.now()
    const headers = { 'x-request-id': 'f00d', 'x-request-start': `t=${(startMs / 1000).toFixed(3)}` }
    const batch = { events: [{ target: 'a' }, { target: 'b' }] }
    const first = await post(app, '/v1/events/batch', batch, headers)
    vi.setSystemTime(startMs + differenceMs)
    onTestFinished(() => void vi.useRealTimers())
    const retried = await post(second.app, '/v1/events/batch', batch, headers)
    expect(retried).toMatchObject({ status: 202, body: first.body })
    const { clicks } = await drain(broker)
    expect(clicks).toHaveLength(4)
    expect(new Set(clicks.map(({ id }) => id)).size).toBe(2)
    expect(new Set(clicks.map(({ id }) => timeOfUuidV7(id)))).toEqual(new Set([startMs]))
  })

  test.each(['t=now', '1700000000.123', '', undefined])(
    'generates an id from its own clock for a request without a valid start time: %j',
    async (start) => {
      const { app } = await createBench()
      const before = Date.now()
      const { body } = await post(
        app,
        '/v1/events',
        { target: 't' },
        start === undefined ? {} : { 'x-request-start': start },
      )
      expect(timeOfUuidV7(body.id)).toBeGreaterThanOrEqual(before)
      expect(timeOfUuidV7(body.id)).toBeLessThanOrEqual(Date.now())
    },
  )

  test.each(['t=1.000', 't=99999999999.000'])(
    'generates no id from a start time outside the window (%s), but accepts an event that has an id',
    async (start) => {
      const { app, broker } = await createBench()
      const headers = { 'x-request-start': start }
      const id = randomUuidV7(Date.now())
      expectProblem(await post(app, '/v1/events', { target: 't' }, headers), 503, 'clocks_differ')
      const mixed = { events: [{ id, target: 't' }, { target: 't' }] }
      expectProblem(await post(app, '/v1/events/batch', mixed, headers), 503, 'clocks_differ')
      expect((await drain(broker)).clicks).toEqual([])
      expect(await post(app, '/v1/events', { id, target: 't' }, headers)).toMatchObject({ status: 202, body: { id } })
    },
  )

  test('replaces a request id that has special characters', async () => {
    const { app, broker } = await createBench()
    await post(app, '/v1/events', { target: 't' }, { 'x-request-id': 'a"b\\c' })
    const [click] = (await drain(broker)).clicks
    expect(click?.requestId).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('clamps a time in 2099 to now, with a warning', async () => {
    const { app, broker } = await createBench()
    const { status, body } = await post(app, '/v1/events', { target: 't', occurredAt: '2099-01-01T00:00:00Z' })
    expect({ status, warning: body.warning }).toEqual({ status: 202, warning: 'occurred_at_clamped' })
    const [click] = (await drain(broker)).clicks
    expect(click?.occurredAtMs).toBe(click?.receivedAtMs)
  })

  test('converts an id to lower case, in the response and in the queue', async () => {
    const { app, broker } = await createBench()
    const id = randomUuidV7(Date.now())
    const { body } = await post(app, '/v1/events', { target: 't', id: id.toUpperCase() })
    expect(body.id).toBe(id)
    expect((await drain(broker)).clicks).toMatchObject([{ id }])
  })

  test.each([
    ['with a charset', { 'content-type': 'application/json; charset=utf-8' }, (body: string) => body],
    ['in upper case', { 'content-type': 'Application/JSON' }, (body: string) => body],
    ['as gzip', { 'content-encoding': 'gzip' }, gzipSync],
    ['as x-gzip', { 'content-encoding': 'X-GZIP' }, gzipSync],
    ['as brotli', { 'content-encoding': 'br' }, brotliCompressSync],
    ['uncompressed', { 'content-encoding': 'identity' }, (body: string) => body],
  ])('accepts JSON %s', async (_name, headers, encode) => {
    const { app, broker } = await createBench()
    const body = encode(JSON.stringify({ target: 'ä' }))
    expect(await post(app, '/v1/events', body, headers as Record<string, string>)).toMatchObject({ status: 202 })
    expect((await drain(broker)).clicks).toMatchObject([{ target: 'ä' }])
  })
})

describe('POST /v1/events/batch', () => {
  test('accepts 100 valid events beside an invalid one', async () => {
    const { app, broker } = await createBench()
    const events: object[] = Array.from({ length: 100 }, (_, n) => ({ id: randomUuidV7(Date.now()), target: `t${n}` }))
    events.splice(40, 0, { target: '' })
    const { status, body } = await post(app, '/v1/events/batch', { events })
    expect({ status, accepted: body.accepted, rejected: body.rejected }).toEqual({
      status: 202,
      accepted: 100,
      rejected: 1,
    })
    expect(body.results).toEqual(
      events.map((event, index) =>
        index === 40
          ? { index, id: null, status: 'rejected', code: 'invalid_field', field: 'target', detail: expect.any(String) }
          : { index, id: (event as { id: string }).id, status: 'accepted' },
      ),
    )
    const { clicks, messages } = await drain(broker)
    expect(messages).toBe(1)
    expect(clicks.map(({ target }) => target)).toEqual(Array.from({ length: 100 }, (_, n) => `t${n}`))
  })

  test('accepts 500 events of the largest size that fits, in gzip', async () => {
    const { app, broker } = await createBench()
    const events = Array.from({ length: 500 }, () => ({ target: 't', url: 'u'.repeat(1_800), bot: true }))
    const body = gzipSync(JSON.stringify({ events }))
    const answer = await post(app, '/v1/events/batch', body, { 'content-encoding': 'gzip' })
    expect(answer).toMatchObject({ status: 202, body: { accepted: 500, rejected: 0 } })
    expect((await drain(broker)).clicks).toHaveLength(500)
  })

  test('warns about the one event that is clamped', async () => {
    const { app } = await createBench()
    const events = [{ target: 't' }, { target: 't', occurredAt: '2099-01-01T00:00:00Z' }]
    const { body } = await post(app, '/v1/events/batch', { events })
    expect(body.results.map(({ warning }: { warning?: string }) => warning)).toEqual([undefined, 'occurred_at_clamped'])
  })

  test('publishes what the clicks have in common once', async () => {
    const { app, broker } = await createBench()
    const events = Array.from({ length: 3 }, () => ({ id: randomUuidV7(Date.now()), target: 't' }))
    await post(app, '/v1/events/batch', { events: [{ target: '' }, ...events] })
    const message = await broker.channel.get('clicks', { noAck: true })
    const [first, ...others] = message === false ? [] : message.content.toString().split('\n')
    expect(JSON.parse(first ?? '')).toMatchObject({ id: events[0]?.id, projectId: 1, requestId: expect.any(String) })
    expect(others.map((line) => JSON.parse(line))).toEqual(events.slice(1))
  })

  test('rejects an event larger than 32 KiB, and accepts the others', async () => {
    const { app, broker } = await createBench()
    const props = Object.fromEntries(Array.from({ length: 30 }, (_, key) => [`k${key}`, 'ä'.repeat(1024)]))
    const events = [{ target: 'a' }, { target: 'large', props }, { target: 'b' }]
    const lines = events.map((event) => JSON.stringify(event)).join('\n')
    const asJson = await post(app, '/v1/events/batch', { events })
    const asLines = await post(app, '/v1/events/batch', lines, { 'content-type': 'application/x-ndjson' })
    for (const { status, body } of [asJson, asLines]) {
      expect(status).toBe(202)
      expect(body.results.map((result: { code?: string }) => result.code)).toEqual([
        undefined,
        'event_too_large',
        undefined,
      ])
    }
    expect((await drain(broker)).clicks.map(({ target }) => target)).toEqual(['a', 'b', 'a', 'b'])
  })

  test.each([
    ['nested 15,000 times', `{"target":"t","props":${'['.repeat(15_000)}${']'.repeat(15_000)}}`],
    [
      'with 3,000 fields',
      JSON.stringify(Object.fromEntries(Array.from({ length: 3_000 }, (_, key) => [`k${key}`, 1]))),
    ],
  ])('rejects an event %s without parsing it, and accepts the others', async (_name, costly) => {
    const { app, broker } = await createBench()
    // The strings of the other events have more brackets than a valid batch, so the batch is split before it is parsed.
    const url = '[{"\\,'.repeat(400)
    const lines = ['{"target":"a"}', costly, ...Array.from({ length: 10 }, () => JSON.stringify({ target: 'b', url }))]
    const asJson = await post(app, '/v1/events/batch', `{"events":[${lines.join()}]}`)
    const asLines = await post(app, '/v1/events/batch', lines.join('\n'), { 'content-type': 'application/x-ndjson' })
    for (const { body } of [asJson, asLines]) {
      expect(body).toMatchObject({ accepted: 11, rejected: 1 })
      expect(body.results[1]).toMatchObject({ index: 1, id: null, code: 'event_too_complex' })
    }
    const { clicks } = await drain(broker)
    expect(clicks).toHaveLength(22)
    expect(clicks.filter((click) => click.url === url)).toHaveLength(20)
  })

  test('accepts NDJSON, and rejects invalid lines', async () => {
    const { app, broker } = await createBench()
    const body = '{"target":"a"}\r\n\n{"target":\n  {"target":"b"}  \n[1]\n{"target":"c"}'
    const answer = await post(app, '/v1/events/batch', body, { 'content-type': 'application/x-ndjson' })
    expect(answer.status).toBe(202)
    expect(answer.body).toMatchObject({ accepted: 3, rejected: 2 })
    expect(answer.body.results.map((result: { code?: string }) => result.code ?? 'accepted')).toEqual([
      'accepted',
      'not_json',
      'accepted',
      'not_an_object',
      'accepted',
    ])
    expect((await drain(broker)).clicks.map(({ target }) => target)).toEqual(['a', 'b', 'c'])
  })

  test.each([
    ['in gzip', { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' }, gzipSync],
    ['with a charset', { 'content-type': 'application/x-ndjson; charset=utf-8' }, (body: string) => body],
    ['in upper case', { 'content-type': 'Application/X-NDJSON' }, (body: string) => body],
  ])('accepts NDJSON %s', async (_name, headers, encode) => {
    const { app, broker } = await createBench()
    const body = encode('{"target":"a"}\n{"target":"b"}\n')
    const answer = await post(app, '/v1/events/batch', body, headers)
    expect(answer).toMatchObject({ status: 202, body: { accepted: 2 } })
    expect((await drain(broker)).clicks.map(({ target }) => target)).toEqual(['a', 'b'])
  })
})

describe('a message', () => {
  test('carries many clicks when many arrive at once', async () => {
    const { app, broker } = await createBench()
    const answers = await Promise.all(
      Array.from({ length: 400 }, (_, n) => post(app, '/v1/events', { target: `t${n}` })),
    )
    expect(answers.every(({ status }) => status === 202)).toBe(true)
    const { clicks, messages } = await drain(broker)
    expect(new Set(clicks.map(({ target }) => target)).size).toBe(400)
    expect(messages).toBeLessThan(100)
  })

  test('never carries more than 500 clicks', async () => {
    const { app, broker } = await createBench()
    const batch = { events: Array.from({ length: 300 }, () => ({ target: 't' })) }
    const answers = await Promise.all(Array.from({ length: 6 }, () => post(app, '/v1/events/batch', batch)))
    expect(answers.every(({ status }) => status === 202)).toBe(true)
    const { clicks, messages } = await drain(broker)
    expect(clicks).toHaveLength(1_800)
    expect(messages).toBe(6)
  })

  test('is persistent, and has a type', async () => {
    const { app, broker } = await createBench()
    await post(app, '/v1/events', { target: 't' })
    const message = await broker.channel.get('clicks', { noAck: true })
    expect(message !== false && message.properties).toMatchObject({
      type: 'clicks.v2',
      contentType: 'application/x-ndjson',
      deliveryMode: 2,
      appId: 'ingest',
      messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      headers: { clicks: 1 },
    })
  })
})

describe('the metrics', () => {
  test('count accepted, rejected and held clicks', async () => {
    const { app } = await createBench()
    await post(app, '/v1/events/batch', { events: [{ target: 'a' }, { target: 'b' }, {}] })
    await post(app, '/v1/events', {})
    const { body, headers } = await app.inject('/metrics')
    expect(headers['content-type']).toMatch(/^text\/plain/)
    expect(body).toContain('clicktally_clicks_accepted_total 2\n')
    expect(body).toContain('clicktally_clicks_rejected_total{code="missing_field"} 2\n')
    expect(body).toContain('clicktally_held_clicks 0\n')
    expect(body).toContain('clicktally_broker_connected{cell="home"} 1\n')
    expect(body).toContain('clicktally_group_clicks_sum 2\n')
    expect(body).toMatch(/http_request_duration_seconds_count\{method="POST",route="\/v1\/events",status="422"\} 1\n/)
  })
})
