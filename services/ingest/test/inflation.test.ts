import type { Transform } from 'node:stream'
import { brotliCompressSync, createBrotliDecompress, createGunzip, gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { InflationSlots } from '../request/inflation-slots.ts'
import { createBench, drain, keys, pageOrigin, post } from './ingest-under-test.ts'

const mebibyte = 1024 * 1024

/** Counts how many streams of this class work at the same time. */
function watchInflations(stream: Transform): { running: Set<Transform>; most: number } {
  const inflations = { running: new Set<Transform>(), most: 0 }
  const { _transform, _destroy } = stream
  const begin = vi.spyOn(Object.getPrototypeOf(stream) as Transform, '_transform')
  const end = vi.spyOn(Object.getPrototypeOf(stream) as Transform, '_destroy')
  begin.mockImplementation(function (this: Transform, ...args) {
    inflations.running.add(this)
    inflations.most = Math.max(inflations.most, inflations.running.size)
    _transform.apply(this, args)
  })
  end.mockImplementation(function (this: Transform, ...args) {
    inflations.running.delete(this)
    _destroy.apply(this, args)
  })
  onTestFinished(() => {
    begin.mockRestore()
    end.mockRestore()
  })
  return inflations
}

describe('compressed bodies', () => {
  test.each([
    ['gzip', gzipSync, createGunzip],
    ['br', brotliCompressSync, createBrotliDecompress],
  ])(
    'are inflated a few at a time, and valid ones among bombs are accepted: %s',
    async (encoding, encode, createInflater) => {
      const { app, broker } = await createBench()
      const inflations = watchInflations(createInflater())
      const headers = { 'content-type': 'text/plain', 'content-encoding': encoding, origin: pageOrigin }
      const send = (url: string, payload: Buffer) => app.inject({ method: 'POST', url, headers, payload })
      const bomb = encode(Buffer.alloc(2 * mebibyte))
      const paths = ['/v1/c', '/v1/beacon', '/segment/v1/batch']
      const bombs = Array.from({ length: 256 }, (_, at) => send(paths[at % 3] as string, bomb))
      const valid = JSON.stringify({ events: Array.from({ length: 50 }, () => ({ target: 'a' })) })
      expect((await send(`/v1/c?key=${keys.write.text}`, encode(valid))).statusCode).toBe(202)
      for (const answer of await Promise.all(bombs)) {
        expect([answer.statusCode, answer.json().code]).toEqual([413, 'inflated_too_large'])
      }
      expect((await drain(broker)).clicks).toHaveLength(50)
      expect(inflations).toEqual({ running: new Set(), most: 8 })
    },
  )

  test.each([
    ['/v1/events', 128 * 1024],
    ['/v1/c', 128 * 1024],
    ['/v1/events/batch', mebibyte],
  ])('have the same limit after inflating as before: %s', async (path, limit) => {
    const { app } = await createBench()
    const codeOf = async (bytes: number) => {
      const body = gzipSync('x'.repeat(bytes))
      return (await post(app, path, body, { 'content-encoding': 'gzip' })).body.code
    }
    expect(await codeOf(limit)).not.toBe('inflated_too_large')
    expect(await codeOf(limit + 1)).toBe('inflated_too_large')
  })
})

describe('slots', () => {
  test('run a few inflations at a time, the others in their order, and go on after one that fails', async () => {
    const slots = new InflationSlots(2, 1_000)
    const begun: number[] = []
    let running = 0
    let most = 0
    const results = await Promise.allSettled(
      Array.from({ length: 9 }, (_, at) =>
        slots.run(100, async () => {
          begun.push(at)
          running += 1
          most = Math.max(most, running)
          await new Promise((resolve) => setImmediate(resolve))
          running -= 1
          if (at % 3 === 0) throw new Error('broken')
        }),
      ),
    )
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    expect(most).toBe(2)
    expect(results.map(({ status }) => status === 'rejected')).toEqual(results.map((_, at) => at % 3 === 0))
  })

  test('refuse what would wait beyond the limit, and run it when there is space again', async () => {
    const slots = new InflationSlots(1, 1_000)
    const { promise, resolve } = Promise.withResolvers<void>()
    const running = [slots.run(5_000, () => promise), slots.run(1_000, () => promise)]
    await expect(slots.run(1, () => promise)).rejects.toMatchObject({
      problem: { code: 'inflation_busy', status: 503 },
    })
    resolve()
    await Promise.all(running)
    await slots.run(5_000, () => promise)
  })
})
