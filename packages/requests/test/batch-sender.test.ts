import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type SenderOptions, sendBatches } from '../batch-sender.ts'
import { batchClicks, type ClickBatch } from '../click-batches.ts'
import { CountingServer, type ReceivedClick } from './counting-server.ts'

const signal = new AbortController().signal

async function* makeClicks(count: number, referrer?: string): AsyncGenerator<ReceivedClick & { referrer?: string }> {
  for (let position = 0; position < count; position++) {
    const nowMs = Date.now()
    const click = { id: randomUuidV7(nowMs), target: `/${position}`, occurredAt: new Date(nowMs).toISOString() }
    yield { ...click, ...(referrer !== undefined && { referrer }) }
  }
}

/** Batches of one click each. `taken` is how many were requested. */
class Singles implements AsyncIterable<ClickBatch & { place: number }> {
  readonly count: number
  taken = 0
  isClosed = false

  constructor(count: number) {
    this.count = count
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ClickBatch & { place: number }> {
    try {
      for await (const click of makeClicks(this.count)) {
        yield { place: this.taken++, count: 1, body: `${JSON.stringify(click)}\n` }
      }
    } finally {
      this.isClosed = true
    }
  }
}

async function startServer(): Promise<{ server: CountingServer; options: SenderOptions }> {
  const server = new CountingServer()
  const url = await server.listen()
  onTestFinished(() => server.close())
  return { server, options: { endpoint: new URL('v1/events/batch', url), key: 'ct_test', signal } }
}

describe('the sender of batches', () => {
  it('yields responses in the order of the batches, even if one is retried', async () => {
    const { server, options } = await startServer()
    server.faults.push({ status: 503 }, 'drop')
    const answered = await Array.fromAsync(sendBatches(new Singles(20), options))
    expect(answered.map(({ batch }) => batch.place)).toEqual(Array.from({ length: 20 }, (_, place) => place))
    expect(answered.every(({ accepted }) => accepted === 1)).toBe(true)
    expect(server.clicks.size).toBe(20)
  })

  it('takes no more batches than may be in flight', async () => {
    const { options } = await startServer()
    const source = new Singles(20)
    const answers = sendBatches(source, { ...options, inFlight: 3 })
    await answers.next()
    expect(source.taken).toBe(3)
    await answers.next()
    expect(source.taken).toBe(4)
    await answers.return(undefined)
    expect(source.isClosed).toBe(true)
  })

  it('reports rejected clicks with the reason', async () => {
    const { server, options } = await startServer()
    server.reject = ({ target }) => (target === '/3' ? 'too_old' : undefined)
    const [answered] = await Array.fromAsync(sendBatches(batchClicks(makeClicks(5)), options))
    expect(answered).toMatchObject({ accepted: 4, rejected: [{ index: 3, code: 'too_old' }] })
  })

  it('stops when a batch is rejected, with the reason', async () => {
    const { server, options } = await startServer()
    server.faults.push({ status: 503, headers: { 'retry-after': '30' } }, { status: 415, body: { code: 'no' } })
    await expect(Array.fromAsync(sendBatches(new Singles(20), options))).rejects.toThrow('refused a batch of clicks')
    expect(server.batches.length).toBeLessThan(20)
  })

  it('does not send empty batches', async () => {
    const { server, options } = await startServer()
    const batches = (async function* () {
      yield { count: 0, body: '' }
    })()
    expect(await Array.fromAsync(sendBatches(batches, options))).toMatchObject([{ accepted: 0, rejected: [] }])
    expect(server.batches).toEqual([])
  })
})

describe('a batch', () => {
  it('stays below 1 MiB', async () => {
    const batches = await Array.fromAsync(batchClicks(makeClicks(600, 'é'.repeat(2_048))))
    expect(batches.reduce((sum, { count }) => sum + count, 0)).toBe(600)
    for (const { body } of batches) expect(Buffer.byteLength(body)).toBeLessThan(1_048_576)
    expect(batches.length).toBeGreaterThan(2)
  })

  it('is never empty', async () => {
    expect(await Array.fromAsync(batchClicks(makeClicks(0)))).toEqual([])
    expect((await Array.fromAsync(batchClicks(makeClicks(500)))).map(({ count }) => count)).toEqual([500])
  })
})
