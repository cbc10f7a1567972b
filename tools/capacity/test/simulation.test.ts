import { describe, expect, test } from 'vitest'
import { costs } from '../costs.ts'
import { type Plan, plans } from '../plan.ts'
import { capacityOf, shareAt, simulateDay } from '../simulation.ts'

const small = plans[0] as Plan
const single = (clicksPerSecond: number) => ({ clicksPerSecond, clicksPerRequest: 1 })

describe('a simulated day', () => {
  test('loses nothing below the capacity of each part, and refuses only above it', () => {
    const outcome = simulateDay(small, single(100))
    expect(outcome).toMatchObject({ refused: 0, longestLagSeconds: 0 })
    expect(Math.max(...Object.values(outcome.peak))).toBeLessThan(1)
    const { peak, refused, tightest } = simulateDay(small, single(20_000))
    expect(refused).toBeGreaterThan(0.1)
    expect(peak[tightest]).toBeGreaterThan(1)
  })

  test('lets a backlog grow where counting is the tightest part, and refuses when the queue is full', () => {
    const many = { ...small, nginxCores: 1e4, ingests: 1e4, brokerCores: 1e4 }
    const counting = capacityOf(many, 1).processor
    const above = simulateDay(many, single(counting * 0.9))
    expect(above.tightest).toBe('processor')
    expect(above.longestLagSeconds).toBeGreaterThan(60)
    const far = simulateDay(many, single(counting * 3))
    expect(far.peak.queue).toBeCloseTo(1, 3)
    expect(far.refused).toBeGreaterThan(0.5)
    expect(far.longestLagSeconds).toBeCloseTo(costs.queueClicks / counting, 0)
  })

  test('scales with the number of cells where the database is the tightest part', () => {
    const many = { ...small, nginxCores: 1e4, ingests: 1e4, brokerCores: 1e4, processors: 1e3 }
    const one = simulateDay(many, single(50_000))
    const four = simulateDay({ ...many, cells: 4 }, single(200_000))
    expect(one.tightest).toBe('postgres')
    expect(four.peak.postgres).toBeCloseTo(one.peak.postgres, 6)
  })

  test('has the average that is asked for, and less at night than by day', () => {
    const { peak } = simulateDay({ ...small, keepDays: 1, diskBytes: 86_400 * costs.bytesPerClick * 100 }, single(100))
    expect(peak.disk).toBeCloseTo(1, 6)
    expect(shareAt(4 * 3_600)).toBeLessThan(shareAt(15 * 3_600) / 3)
  })
})

test('the costs agree with the measured rate of one machine within a factor of two', () => {
  // docs/benchmarks.md: 10,000 single clicks/s on two cores, which the load generator shares; it takes about 40 CPU s for a million.
  const sum = Object.values(costs.cpu).reduce((total, { request, click }) => total + request + click, 40)
  const predicted = 2 / (sum / 1e6)
  expect(predicted).toBeGreaterThan(5_000)
  expect(predicted).toBeLessThan(20_000)
})
