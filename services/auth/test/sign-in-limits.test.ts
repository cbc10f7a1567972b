import { ServiceProblem } from '@clicktally/http/service-problem.ts'
import { expect, test } from 'vitest'
import { problem } from '../errors.ts'
import { SignInLimits } from '../sessions/sign-in-limits.ts'

const names = ['address 192.0.2.7', 'account ann@example.org']
const right = async () => 'signed in'
const wrong = () => Promise.reject(problem('sign_in_failed', ''))

/** What comes of an attempt: its result, or an error and after how many seconds to try again. */
async function outcomeOf(attempt: Promise<string>): Promise<string> {
  return await attempt.catch((error) =>
    error instanceof ServiceProblem
      ? [error.problem.code, error.retryAfterSeconds].filter(Boolean).join(' ')
      : error.message,
  )
}

test('only wrong credentials count as failed attempts', async () => {
  const limits = new SignInLimits(() => 0)
  for (let each = 0; each < 30; each += 1) {
    const failing = () => Promise.reject(new Error('Connection terminated unexpectedly'))
    expect(await outcomeOf(limits.run(names, failing))).toBe('Connection terminated unexpectedly')
  }
  expect(await outcomeOf(limits.run(names, right))).toBe('signed in')
  for (let each = 0; each < 9; each += 1) await outcomeOf(limits.run(names, wrong))
  expect(await outcomeOf(limits.run(names, right))).toBe('signed in')
  await outcomeOf(limits.run(names, () => Promise.reject(problem('token_invalid', ''))))
  expect(await outcomeOf(limits.run(names, right))).toBe('too_many_attempts 900')
})

test('an attempt that is refused because too many wait does not count', async () => {
  const limits = new SignInLimits(() => 0)
  const { promise, resolve } = Promise.withResolvers<string>()
  const others = Array.from({ length: 22 }, (_, each) => outcomeOf(limits.run([`account ${each}`], () => promise)))
  for (let each = 0; each < 30; each += 1) {
    expect(await outcomeOf(limits.run(names, right))).toBe('too_many_attempts 1')
  }
  resolve('signed in')
  expect(new Set(await Promise.all(others))).toEqual(new Set(['signed in']))
  expect(await outcomeOf(limits.run(names, right))).toBe('signed in')
})

test('concurrent attempts do not exceed the limit, and one that ends late leaves the next window as it is', async () => {
  let now = 0
  const limits = new SignInLimits(() => now)
  const { promise, resolve } = Promise.withResolvers<string>()
  const early = outcomeOf(limits.run(names, () => promise))
  let made = 0
  const attempt = () => {
    made += 1
    return wrong()
  }
  const concurrent = () => Promise.all(Array.from({ length: 15 }, () => outcomeOf(limits.run(names, attempt))))
  expect((await concurrent()).filter((each) => each === 'too_many_attempts 900')).toHaveLength(6)
  expect(made).toBe(9)
  now = 900_000
  made = 0
  await outcomeOf(limits.run(names, attempt))
  resolve('signed in')
  expect(await early).toBe('signed in')
  await concurrent()
  expect(made).toBe(10)
})
