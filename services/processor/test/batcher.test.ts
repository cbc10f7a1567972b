import { patience } from '@clicktally/testing/patience.ts'
import { describe, expect, test, vi } from 'vitest'
import { Batcher } from '../queue/batcher.ts'

interface Item {
  readonly clicks: number
  readonly name: string
}

/** A batcher whose writes end when the test says so. */
function createBatcher(options: { maxClicks?: number; maxItems?: number; flushAfterMs?: number } = {}) {
  const prepared: string[] = []
  const batches: string[] = []
  const finish: (() => void)[] = []
  const batcher = new Batcher<Item, string>({
    maxClicks: 10,
    maxItems: 100,
    flushAfterMs: 5,
    ...options,
    prepare: async (items) => {
      const batch = items.map(({ name }) => name).join('')
      prepared.push(batch)
      return batch
    },
    write: (batch) => {
      batches.push(batch)
      return new Promise((resolve) => finish.push(resolve))
    },
  })
  const add = (names: string, clicks = 1) => {
    for (const name of names) batcher.add({ name, clicks })
  }
  return { batcher, prepared, batches, finish, add }
}

/** Until what was added is prepared, where it is its turn: that takes no time, but is never done at once. */
const turn = () => new Promise(setImmediate)

describe('the batcher', () => {
  test('writes the gathered items once the oldest has waited long enough', async () => {
    const { batches, add } = createBatcher()
    add('abc')
    expect(batches).toEqual([])
    await vi.waitFor(() => expect(batches).toEqual(['abc']), patience)
  })

  test('writes immediately if there are enough clicks', async () => {
    const { batches, add } = createBatcher({ flushAfterMs: 1_000_000 })
    add('ab', 4)
    await turn()
    expect(batches).toEqual([])
    add('c', 4)
    await turn()
    // Three of four clicks are more than ten: the third waits for the next batch.
    expect(batches).toEqual(['ab'])
  })

  test('writes immediately if there are as many items as the prefetch', async () => {
    const { batches, add } = createBatcher({ maxItems: 3, flushAfterMs: 1_000_000 })
    add('abc')
    await turn()
    expect(batches).toEqual(['abc'])
  })

  test('writes an item that is larger than a batch alone', async () => {
    const { batches, add } = createBatcher({ flushAfterMs: 1_000_000 })
    add('a', 500)
    await turn()
    expect(batches).toEqual(['a'])
  })

  test('writes one batch at a time, in order', async () => {
    const { batches, finish, add } = createBatcher({ maxItems: 2, flushAfterMs: 1_000_000 })
    add('abcd')
    await turn()
    expect(batches).toEqual(['ab'])
    finish[0]?.()
    await vi.waitFor(() => expect(batches).toEqual(['ab', 'cd']), patience)
  })

  test('prepares one batch while another is being written', async () => {
    const { prepared, batches, finish, add } = createBatcher({ maxClicks: 2, flushAfterMs: 1_000_000 })
    add('abcdef')
    await turn()
    expect(prepared).toEqual(['ab', 'cd'])
    expect(batches).toEqual(['ab'])
    finish[0]?.()
    await vi.waitFor(() => expect(batches).toEqual(['ab', 'cd']), patience)
    expect(prepared).toEqual(['ab', 'cd', 'ef'])
  })

  test('keeps gathering a batch that is due but not full while another is being written', async () => {
    const { prepared, finish, add } = createBatcher()
    add('a')
    await vi.waitFor(() => expect(prepared).toEqual(['a']), patience)
    add('b')
    await new Promise((resolve) => setTimeout(resolve, 20))
    add('c')
    expect(prepared).toEqual(['a'])
    finish[0]?.()
    await vi.waitFor(() => expect(prepared).toEqual(['a', 'bc']), patience)
  })

  test('a drain writes everything held and resolves when it is written', async () => {
    const { batcher, batches, finish, add } = createBatcher({ flushAfterMs: 1_000_000 })
    add('ab')
    let drained = false
    const draining = batcher.drain().then(() => {
      drained = true
    })
    await vi.waitFor(() => expect(batches).toEqual(['ab']), patience)
    expect(drained).toBe(false)
    finish[0]?.()
    await draining
    expect(batcher.isIdle).toBe(true)
  })

  test('a batch that is discarded while being prepared is not written', async () => {
    const { batcher, prepared, batches, finish, add } = createBatcher({ maxItems: 2 })
    add('ab')
    expect(prepared).toEqual(['ab'])
    batcher.discard()
    expect(batcher.isIdle).toBe(true)
    add('cd')
    await turn()
    expect([prepared, batches]).toEqual([['ab', 'cd'], ['cd']])
    finish[0]?.()
    await vi.waitFor(() => expect(batcher.isIdle).toBe(true), patience)
  })

  test('discarded items are not written', async () => {
    const { batcher, batches, finish, add } = createBatcher()
    add('ab')
    batcher.discard()
    add('c')
    await vi.waitFor(() => expect(batches).toEqual(['c']), patience)
    finish[0]?.()
    await vi.waitFor(() => expect(batcher.isIdle).toBe(true), patience)
  })
})
