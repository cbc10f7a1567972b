import { describe, expect, it } from 'vitest'
import { median, pairedRatios, percentile, samplesText } from '../report/samples.ts'

describe('samples', () => {
  it('have a median', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([7])).toBe(7)
    expect(median([])).toBeNaN()
  })

  it('are shown as the median and the range', () => {
    expect(samplesText([3, 1, 2])).toBe('2.00 (1.00–3.00)')
    expect(samplesText([3.001, 3, 3])).toBe('3.00')
    expect(samplesText([])).toBe('–')
  })

  it('are divided by those of the same round, without rounds in which one is missing', () => {
    expect(pairedRatios([10, 30, 8], [5, 10, 8])).toEqual([2, 3, 1])
    expect(pairedRatios([10, undefined, 8, 1], [5, 10, undefined, 0])).toEqual([2])
  })

  it('have nearest-rank percentiles', () => {
    const hundred = Float64Array.from({ length: 100 }, (_, index) => index + 1)
    expect(percentile(hundred, 0.5)).toBe(50)
    expect(percentile(hundred, 0.99)).toBe(99)
    expect(percentile(hundred, 1)).toBe(100)
    expect(percentile([5], 0.999)).toBe(5)
    expect(percentile([], 0.5)).toBeNaN()
  })
})
