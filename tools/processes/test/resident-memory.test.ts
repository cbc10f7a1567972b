import { expect, test } from 'vitest'
import { residentMemory } from '../resident-memory.ts'

test.runIf(process.platform === 'linux')('a process that takes memory is seen to hold it', async () => {
  const before = (await residentMemory(process.pid)) ?? Number.NaN
  const taken = Buffer.alloc(64 * 1024 * 1024, 1)
  expect((await residentMemory(process.pid)) ?? 0).toBeGreaterThan(before + taken.length / 2)
})

test('of what is no process nothing is known', async () => {
  expect(await residentMemory(undefined)).toBeUndefined()
})
