import { describeAnswers } from '@clicktally/requests/batch-sender.ts'
import { CountingServer } from '@clicktally/requests/test/counting-server.ts'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Click } from '../click.ts'
import { clickId } from '../click-id.ts'
import { sendClicks } from '../click-sender.ts'

const signal = new AbortController().signal

async function* makeClicks(count: number, referrer?: string): AsyncGenerator<Click> {
  const nowMs = Date.now()
  for (let position = 0; position < count; position++) {
    const id = clickId(nowMs, nowMs, position, 'test')
    const occurredAt = new Date(nowMs).toISOString()
    yield { id, target: `/${position % 10}`, occurredAt, ...(referrer !== undefined && { referrer }) }
  }
}

async function startServer(): Promise<{ server: CountingServer; url: string; key: string }> {
  const server = new CountingServer()
  const url = await server.listen()
  onTestFinished(() => server.close())
  return { server, url, key: 'ct_test' }
}

describe('the sender', () => {
  it('sends every click, 500 at a time', async () => {
    const { server, url, key } = await startServer()
    const answered: number[] = []
    const sending = await sendClicks(makeClicks(1_200), {
      url,
      key,
      signal,
      onAnswered: (clicks) => answered.push(clicks),
    })
    expect(sending).toMatchObject({ accepted: 1_200, answers: new Map([['202', 3]]) })
    expect(server.clicks.size).toBe(1_200)
    expect(server.batches.map(({ length }) => length).sort()).toEqual([200, 500, 500])
    expect(answered.at(-1)).toBe(1_200)
  })

  it('sends a batch again with the same ids until it is answered, and keeps a tally', async () => {
    const { server, url, key } = await startServer()
    server.faults.push({ status: 503, headers: { 'retry-after': '0' } }, 'drop', 'takeAndDrop', { status: 429 })
    const sending = await sendClicks(makeClicks(300), { url, key, signal })
    expect(server.batches).toHaveLength(5)
    for (const batch of server.batches) expect(batch).toEqual(server.batches[0])
    expect(server.clicks.size).toBe(300)
    expect(sending.accepted).toBe(300)
    expect(Object.fromEntries(sending.answers)).toEqual({ '503': 1, 'connection closed': 2, '429': 1, '202': 1 })
    expect(describeAnswers(sending.answers)).toMatch(/^connection closed ×2, /)
  })

  it('waits as long as it is asked to', async () => {
    const { server, url, key } = await startServer()
    server.faults.push({ status: 503, headers: { 'retry-after': '1' } })
    const { elapsedMs } = await sendClicks(makeClicks(1), { url, key, signal })
    expect(elapsedMs).toBeGreaterThanOrEqual(950)
  })

  it('gives up when its patience ends, and says what was answered', async () => {
    const { server, url, key } = await startServer()
    server.faults.push(...Array.from({ length: 50 }, () => ({ status: 503, body: { code: 'broker_unavailable' } })))
    await expect(sendClicks(makeClicks(1), { url, key, signal, patienceMs: 500 })).rejects.toThrow(
      /did not take a batch of clicks after \d tries. Answers so far: 503 ×\d. The last: 503 broker_unavailable/,
    )
  })

  it('gives up when nobody listens', async () => {
    const { server, url, key } = await startServer()
    await server.close()
    await expect(sendClicks(makeClicks(1), { url, key, signal, patienceMs: 300 })).rejects.toThrow('connection refused')
  })

  it('does not send again what is refused for good', async () => {
    const { server, url, key } = await startServer()
    server.faults.push({ status: 415, body: { code: 'unsupported_media_type', detail: 'Send JSON.' } })
    await expect(sendClicks(makeClicks(1), { url, key, signal })).rejects.toThrow(
      'refused a batch of clicks: 415 unsupported_media_type: Send JSON.',
    )
    expect(server.batches).toHaveLength(1)
  })

  it('does not take another server for Clicktally', async () => {
    const { server, url, key } = await startServer()
    server.faults.push({ status: 202, body: { hello: 'world' } })
    await expect(sendClicks(makeClicks(1), { url, key, signal })).rejects.toThrow('does not fit a batch of 1 clicks')
  })

  it('counts what is rejected by its code, one batch or all of it', async () => {
    const { server, url, key } = await startServer()
    server.reject = ({ target }) => (target === '/3' ? 'too_old' : undefined)
    const some = await sendClicks(makeClicks(20), { url, key, signal })
    expect(some.accepted).toBe(18)
    expect(some.rejected.get('too_old')).toEqual({ count: 2, example: expect.stringContaining('"target":"/3"') })
    server.reject = () => 'too_old'
    const all = await sendClicks(makeClicks(20), { url, key, signal })
    expect(all).toMatchObject({ accepted: 0, answers: new Map([['422', 1]]) })
    expect(all.rejected.get('too_old')?.count).toBe(20)
  })

  it('stops when it is told to, in the middle of a pause too', async () => {
    const { server, url, key } = await startServer()
    const stop = new AbortController()
    server.faults.push({ status: 503, headers: { 'retry-after': '30' } })
    const sending = sendClicks(makeClicks(1), { url, key, signal: stop.signal })
    await expect.poll(() => server.batches.length).toBe(1)
    stop.abort(new Error('stop'))
    await expect(sending).rejects.toThrow()
  })
})
