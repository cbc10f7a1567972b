import { describe, expect, test } from 'vitest'
import type { CliContext } from '../cli-context.ts'
import { confirmed, confirmedByCount } from '../confirm.ts'

function answering(answer: string): CliContext {
  return { ask: async () => answer } as unknown as CliContext
}

describe('a confirmation', () => {
  test.each(['y', 'Y', 'yes', ' yes '])('is given by %j', async (answer) => {
    expect(await confirmed(answering(answer), 'Replay?')).toBe(true)
  })

  test.each(['', 'n', 'no', 'yeah', '12'])('is not given by %j', async (answer) => {
    expect(await confirmed(answering(answer), 'Replay?')).toBe(false)
  })

  test.each(['1234', '1,234'])('of something irreversible is given by the number, %s', async (answer) => {
    expect(await confirmedByCount(answering(answer), 'Discard?', 1_234)).toBe(true)
  })

  test.each(['', 'y', 'yes', '1235'])('of something irreversible is not given by %j', async (answer) => {
    expect(await confirmedByCount(answering(answer), 'Discard?', 1_234)).toBe(false)
  })
})
