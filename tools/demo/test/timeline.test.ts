import { describe, expect, it } from 'vitest'
import { maxSpanMs, Timeline } from '../timeline.ts'

const hourMs = 3_600_000
const endMs = Date.parse('2025-11-21T10:00:30.123Z')
const firstMs = Date.parse('2015-05-17T10:05:03Z')

describe('the timeline', () => {
  it('moves a short log so that it ends now, and keeps its distances', () => {
    const timeline = new Timeline(firstMs, firstMs + 5 * hourMs, endMs)
    expect(timeline.move(firstMs + 5 * hourMs)).toBe(endMs)
    expect(timeline.move(firstMs)).toBe(endMs - 5 * hourMs)
    expect(timeline.move(firstMs + 1234)).toBe(endMs - 5 * hourMs + 1234)
  })

  it('draws a long log together to 60 h, in whole milliseconds and in order', () => {
    const spanMs = 8_760 * hourMs
    const timeline = new Timeline(firstMs, firstMs + spanMs, endMs)
    expect(timeline.move(firstMs)).toBe(endMs - maxSpanMs)
    let previousMs = -Infinity
    for (let step = 0; step <= 1000; step++) {
      const movedMs = timeline.move(firstMs + (spanMs / 1000) * step)
      expect(Number.isInteger(movedMs)).toBe(true)
      expect(movedMs).toBeGreaterThan(previousMs)
      previousMs = movedMs
    }
    expect(previousMs).toBe(endMs)
  })

  it('takes a log of one moment', () => {
    expect(new Timeline(firstMs, firstMs, endMs).move(firstMs)).toBe(endMs)
  })

  it('spans whole minutes that hold the first and the last click', () => {
    const { fromMs, toMs } = new Timeline(firstMs, firstMs + hourMs, endMs).range()
    expect(new Date(fromMs).toISOString()).toBe('2025-11-21T09:00:00.000Z')
    expect(new Date(toMs).toISOString()).toBe('2025-11-21T10:02:00.000Z')
  })
})
