import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { OtlpReceiver, type ReceivedSpan } from '../otlp-receiver.ts'

const clientTrace = '4bf92f3577b34da6a3ce929d0e0e4736'
const clientSpan = '00f067aa0ba902b7'

describe('traces', () => {
  let dir: string
  let system: System
  const receiver = new OtlpReceiver()

  beforeAll(async () => {
    dir = await makeScratchFolder('tracing')
    const endpoint = await receiver.listen()
    system = await startSystem({
      dir,
      port: 0,
      ingests: 1,
      processors: 1,
      onLine: () => {},
      variables: { LOG_LEVEL: 'debug', OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
    })
  })

  afterAll(async () => {
    await system?.stop()
    receiver.close()
    await rm(dir, { recursive: true, force: true })
  })

  function send(path: string, body: string, headers: Record<string, string> = {}) {
    return fetch(new URL(path, system.baseUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${system.ownerKey}`, ...headers },
      body,
    })
  }

  const spanWhere = (matches: (span: ReceivedSpan) => boolean) =>
    vi.waitFor(() => {
      const span = receiver.spans.find(matches)
      if (span === undefined) throw new Error('the span has not arrived')
      return span
    }, patience)
  const requestSpan = (requestId: string | null) =>
    spanWhere(({ attributes }) => attributes['clicktally.request_id'] === requestId)
  const childOf = ({ traceId, spanId }: ReceivedSpan, name: string) =>
    spanWhere((span) => span.name === name && span.traceId === traceId && span.parentSpanId === spanId)
  const linkTo = ({ traceId, spanId }: Pick<ReceivedSpan, 'traceId' | 'spanId'>) =>
    expect.arrayContaining([expect.objectContaining({ traceId, spanId })])

  test("lead from nginx's request id to the commit, and link to the client's trace", async () => {
    const response = await send('/v1/events', '{"target":"traced"}', {
      traceparent: `00-${clientTrace}-${clientSpan}-01`,
    })
    expect(response.status).toBe(202)
    const { id } = (await response.json()) as { id: string }
    const requestId = response.headers.get('x-request-id')

    const request = await requestSpan(requestId)
    expect(request).toMatchObject({ service: 'clicktally-ingest', name: 'POST /v1/events', parentSpanId: '' })
    expect(request.attributes).toMatchObject({ 'http.route': '/v1/events', 'http.response.status_code': 202 })
    expect(request.traceId).not.toBe(clientTrace)
    expect(request.links).toEqual(linkTo({ traceId: clientTrace, spanId: clientSpan }))

    const message = await childOf(request, 'send clicks')
    expect(message).toMatchObject({ service: 'clicktally-ingest', failed: false, links: linkTo(request) })
    const batch = await childOf(message, 'process clicks')
    expect(batch).toMatchObject({ service: 'clicktally-processor', failed: false, links: linkTo(message) })
    const commit = await childOf(batch, 'commit clicks')
    expect(commit).toMatchObject({ failed: false, attributes: { 'db.system.name': 'postgresql' } })

    // The commit has written the row, and the log names the request and the trace.
    const client = new Client({ connectionString: system.postgresUrl })
    await client.connect()
    const { rows } = await client.query('select id from clicks where id = $1', [id]).finally(() => client.end())
    expect(rows).toEqual([{ id }])

    const log = await readFile(join(system.logsDir, 'processor-1.log'), 'utf8')
    const line = log.split('\n').find((each) => each.includes(String(requestId)) && each.includes('clicks counted'))
    expect(JSON.parse(line ?? '{}')).toMatchObject({ trace_id: batch.traceId, span_id: batch.spanId })
  })

  test('link a message to every request in it, and a batch to every message', async () => {
    const responses = await Promise.all(
      Array.from({ length: 200 }, (_, index) => send('/v1/events', `{"target":"shared-${index % 5}"}`)),
    )
    expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 202))
    const requests = await Promise.all(responses.map(({ headers }) => requestSpan(headers.get('x-request-id'))))
    const named = (name: string) => receiver.spans.filter((span) => span.name === name)
    const linked = (name: string) => new Set(named(name).flatMap(({ links }) => links.map(({ spanId }) => spanId)))
    await vi.waitFor(() => {
      expect(requests.filter(({ spanId }) => !linked('send clicks').has(spanId))).toEqual([])
      expect(named('send clicks').filter(({ spanId }) => !linked('process clicks').has(spanId))).toEqual([])
    }, patience)
  })

  test('show what failed, and what was refused before it became a message', async () => {
    const refused = await send('/v1/events', '{}')
    expect(refused.status).toBe(422)
    const request = await requestSpan(refused.headers.get('x-request-id'))
    expect(request).toMatchObject({ failed: false, attributes: { 'http.response.status_code': 422 } })
    expect(receiver.spans.filter(({ parentSpanId }) => parentSpanId === request.spanId)).toEqual([])

    const postgres = system.services.get('postgres')?.program
    await postgres?.stop()
    const accepted = await send('/v1/events', '{"target":"waits"}')
    expect(accepted.status).toBe(202)
    await postgres?.start()
    const { traceId } = await requestSpan(accepted.headers.get('x-request-id'))
    await spanWhere((span) => span.traceId === traceId && span.name === 'commit clicks' && !span.failed)
  })

  test('have no span of health checks', () => {
    const routes = new Set(receiver.spans.map(({ attributes }) => attributes['http.route']))
    expect(routes).toContain('/v1/events')
    expect([...routes].filter((route) => /livez|readyz|metrics/.test(String(route)))).toEqual([])
  })

  test('of a hostile header start anew', async () => {
    for (const traceparent of ['x', `00-${'0'.repeat(32)}-${clientSpan}-01`, `ff-${clientTrace}-${clientSpan}-01`]) {
      const response = await send('/v1/events', '{"target":"traced"}', { traceparent })
      expect(response.status).toBe(202)
      const request = await requestSpan(response.headers.get('x-request-id'))
      expect(request).toMatchObject({ parentSpanId: '', links: [] })
    }
  })
})
