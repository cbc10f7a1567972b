import { describe, expect, it } from 'vitest'
import type { PacedLoadResult } from '../peers/paced-load.ts'
import { highestRate, type RateStep, whyBroken } from '../sustained-rate.ts'

const fine: PacedLoadResult = {
  sentClicks: 1_000,
  acceptedClicks: 1_000,
  answers: { 202: 1_000 },
  unsent: 0,
  mostWaited: 3,
  latencyP99Ms: 20,
  latenessP99Ms: 1,
}

describe('a rate', () => {
  it('holds when all is accepted in time and little waits to be counted', () => {
    expect(whyBroken(fine, 100, 1_000)).toBeUndefined()
  })

  it('breaks when clicks are refused, when answers are late, or when the queue grows', () => {
    expect(whyBroken({ ...fine, answers: { 202: 990, 503: 10 } }, 0, 1_000)).toBe('answers were 503')
    expect(whyBroken({ ...fine, latencyP99Ms: 900 }, 0, 1_000)).toBe('answers came later and later')
    expect(whyBroken({ ...fine, latencyP99Ms: 900, latenessP99Ms: 800 }, 0, 1_000)).toBe('the sender could not keep up')
    expect(whyBroken(fine, 600, 1_000)).toBe('the queue grew')
  })

  it('is the highest of those that held', () => {
    const step = (requestsPerSecond: number, broke?: string): RateStep => ({
      ...{ requestsPerSecond, load: fine, backlog: 0, broke },
    })
    expect(highestRate([step(1_000), step(2_000), step(4_000, 'the queue grew'), step(3_000)])).toBe(3_000)
    expect(highestRate([step(1_000, 'the queue grew')])).toBe(0)
  })
})
