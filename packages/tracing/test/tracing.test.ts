import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startTracing } from '../start-tracing.ts'
import type { Tracing } from '../tracing.ts'

const request = { method: 'POST', route: '/v1/events', requestId: 'r1' }
const client = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }
const sampled = `00-${client.traceId}-${client.spanId}-01`
const notSampled = `00-${client.traceId}-${client.spanId}-00`

async function start(sampler: 'parentbased_always_on' | 'parentbased_traceidratio', ratio = 1) {
  const bodies: string[] = []
  const headers: unknown[] = []
  const server = createServer(async (incoming, response) => {
    headers.push(incoming.headers.authorization)
    bodies.push(JSON.stringify(await json(incoming)))
    response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`
  const settings = { url, headers: 'authorization=Bearer%20token', sampler, ratio }
  return { tracing: (await startTracing('ingest', settings)) as Tracing, bodies, headers }
}

describe('traces', () => {
  test("of a request begin anew, or continue the client's if that is asked for", async () => {
    const { tracing } = await start('parentbased_always_on')
    const linked = tracing.startRequest(request, sampled, 'link')
    expect(linked?.context.traceId).toMatch(/^[0-9a-f]{32}$/)
    expect(linked?.context.traceId).not.toBe(client.traceId)
    expect(tracing.startRequest(request, sampled, 'continue')?.context.traceId).toBe(client.traceId)
    await tracing.close()
  })

  test('a client decides what is recorded only if its trace is continued', async () => {
    const none = await start('parentbased_traceidratio', 0)
    expect(none.tracing.startRequest(request, sampled, 'link')).toBeUndefined()
    expect(none.tracing.startRequest(request, sampled, 'continue')).toBeDefined()
    const all = await start('parentbased_always_on')
    expect(all.tracing.startRequest(request, notSampled, 'link')).toBeDefined()
    expect(all.tracing.startRequest(request, notSampled, 'continue')).toBeUndefined()
    await Promise.all([none.tracing.close(), all.tracing.close()])
  })

  test('of what is left are sent when it closes, with the headers that were set', async () => {
    const { tracing, bodies, headers } = await start('parentbased_always_on')
    tracing.startRequest(request, undefined, 'link')?.end(202)
    await tracing.close()
    expect(headers).toEqual(['Bearer token'])
    expect(bodies.join()).toContain('clicktally-ingest')
  })

  test('never have the text of an error, which may have a click in it', async () => {
    const { tracing, bodies } = await start('parentbased_always_on')
    const batch = { traceparents: [sampled], messages: 1, clicks: 1 }
    const failing = tracing.inBatch(batch, () =>
      tracing.inCommit(() => Promise.reject(Object.assign(new Error('(visitor_id)=(ann)'), { code: '23505' }))),
    )
    await expect(failing).rejects.toThrow('ann')
    await tracing.close()
    expect(bodies.join()).toContain('23505')
    expect(bodies.join()).not.toContain('ann')
  })

  test('are in the log only within a batch that is recorded', async () => {
    const { tracing } = await start('parentbased_always_on')
    const fields = async (traceparents: string[]) =>
      await tracing.inBatch({ traceparents, messages: 1, clicks: 1 }, async () => tracing.logFields())
    expect(await fields([sampled])).toMatchObject({ trace_id: client.traceId })
    expect(await fields([notSampled])).toBeUndefined()
    expect(tracing.logFields()).toBeUndefined()
    await tracing.close()
  })

  test('a receiver that does not answer does not keep a service from stopping', async () => {
    const server = createServer(() => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`
    const settings = { url, headers: '', sampler: 'always_on', ratio: 1 } as const
    const tracing = (await startTracing('ingest', settings)) as Tracing
    tracing.startRequest(request, undefined, 'link')?.end(202)
    await tracing.close()
  })
})
