import { describe, expect, test } from 'vitest'
import type { CliContext } from '../cli-context.ts'
import { confirmed, confirmedByCount } from '../confirm.ts'

function answering(answer: string): CliContext {
  return { ask: async () => answer } as unknown as CliContext
}

describe('a question', () => {
  test.each(['y', 'Y', 'yes', ' yes '])('is answered with yes by %j', async (answer) => {
    expect(await confirmed(answering(answer), 'Replay?')).toBe(true)
  })

  test.each(['', 'n', 'no', 'yeah', '12'])('is answered with no by %j', async (answer) => {
    expect(await confirmed(answering(answer), 'Replay?')).toBe(false)
  })

  test.each(['1234', '1,234'])('about something final is answered with yes by the number, %s', async (answer) => {
    expect(await confirmedByCount(answering(answer), 'Discard?', 1_234)).toBe(true)
  })

  test.each(['', 'y', 'yes', '1235'])('about something final is answered with no by %j', async (answer) => {
    expect(await confirmedByCount(answering(answer), 'Discard?', 1_234)).toBe(false)
  })
})
