import { describe, expect, it } from 'vitest'
import type { PacedLoadResult } from '../peers/paced-load.ts'
import { highestRate, problemOf, type RateStep } from '../storing/sustained-rate.ts'

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
  it('is sustained when all clicks are accepted in time and few wait to be counted', () => {
    expect(problemOf(fine, 100, 1_000)).toBeUndefined()
  })

  it('is too high when clicks are rejected, when responses are late, or when the queue grows', () => {
    expect(problemOf({ ...fine, answers: { 202: 990, 503: 10 } }, 0, 1_000)).toBe('responses were 503')
    expect(problemOf({ ...fine, latencyP99Ms: 900 }, 0, 1_000)).toBe('latency kept growing')
    expect(problemOf({ ...fine, latencyP99Ms: 900, latenessP99Ms: 800 }, 0, 1_000)).toBe(
      'the load generator could not keep up',
    )
    expect(problemOf(fine, 600, 1_000)).toBe('the queue kept growing')
  })

  it('is the highest that was sustained', () => {
    const step = (requestsPerSecond: number, problem?: string): RateStep => ({
      ...{ requestsPerSecond, load: fine, problem },
    })
    expect(highestRate([step(1_000), step(2_000), step(4_000, 'the queue kept growing'), step(3_000)])).toBe(3_000)
    expect(highestRate([step(1_000, 'the queue kept growing')])).toBe(0)
  })
})
