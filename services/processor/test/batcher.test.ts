import { describe, expect, test, vi } from 'vitest'
import { Batcher } from '../batcher.ts'

interface Item {
  readonly clicks: number
  readonly name: string
}

/** A batcher whose writes end when the test says so. */
function createBatcher(options: { maxClicks?: number; maxItems?: number; flushAfterMs?: number } = {}) {
  const batches: string[] = []
  const finish: (() => void)[] = []
  const batcher = new Batcher<Item>({
    maxClicks: 10,
    maxItems: 100,
    flushAfterMs: 5,
    ...options,
    write: (batch) => {
      batches.push(batch.map(({ name }) => name).join(''))
      return new Promise((resolve) => finish.push(resolve))
    },
  })
  const add = (names: string, clicks = 1) => {
    for (const name of names) batcher.add({ name, clicks })
  }
  return { batcher, batches, finish, add }
}

describe('the batcher', () => {
  test('writes what came together when the oldest has waited long enough', async () => {
    const { batches, add } = createBatcher()
    add('abc')
    expect(batches).toEqual([])
    await vi.waitFor(() => expect(batches).toEqual(['abc']))
  })

  test('writes at once when there are enough clicks, without waiting for the time', () => {
    const { batches, add } = createBatcher({ flushAfterMs: 1_000_000 })
    add('ab', 4)
    expect(batches).toEqual([])
    add('c', 4)
    // Three of four clicks are more than ten: the third waits for the next batch.
    expect(batches).toEqual(['ab'])
  })

  test('writes at once when there are as many items as the broker gives', () => {
    const { batches, add } = createBatcher({ maxItems: 3, flushAfterMs: 1_000_000 })
    add('abc')
    expect(batches).toEqual(['abc'])
  })

  test('an item that is larger than a batch is written alone', () => {
    const { batches, add } = createBatcher({ flushAfterMs: 1_000_000 })
    add('a', 500)
    expect(batches).toEqual(['a'])
  })

  test('never writes two batches at a time, and keeps the order', async () => {
    const { batches, finish, add } = createBatcher({ maxItems: 2, flushAfterMs: 1_000_000 })
    add('abcd')
    expect(batches).toEqual(['ab'])
    finish[0]?.()
    await vi.waitFor(() => expect(batches).toEqual(['ab', 'cd']))
  })

  test('a drain writes all that is held and ends when it is written', async () => {
    const { batcher, batches, finish, add } = createBatcher({ flushAfterMs: 1_000_000 })
    add('ab')
    let drained = false
    const draining = batcher.drain().then(() => {
      drained = true
    })
    await vi.waitFor(() => expect(batches).toEqual(['ab']))
    expect(drained).toBe(false)
    finish[0]?.()
    await draining
    expect(batcher.isIdle).toBe(true)
  })

  test('what is discarded is not written', async () => {
    const { batcher, batches, finish, add } = createBatcher()
    add('ab')
    batcher.discard()
    add('c')
    await vi.waitFor(() => expect(batches).toEqual(['c']))
    finish[0]?.()
    await vi.waitFor(() => expect(batcher.isIdle).toBe(true))
  })
})
