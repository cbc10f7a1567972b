import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Crossing, judge, type Threshold, type ThresholdState } from '../thresholds/judge.ts'

const minuteMs = 60_000
const begin = Date.parse('2026-03-01T00:00Z')
const at = (minute: number) => begin + minute * minuteMs

/** A threshold from the minute 5 on, and clicks in each of the first minutes. */
const situation = fc.record({
  clicks: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
  windowMinutes: fc.integer({ min: 1, max: 6 }),
  counts: fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4 })), { minLength: 10, maxLength: 60 }),
})
const start: ThresholdState = { judgedThroughMs: at(5), metAtMs: undefined }

function judgeAll({ counts, ...rest }: typeof situation extends fc.Arbitrary<infer Value> ? Value : never) {
  const threshold: Threshold = { ...rest, startsAtMs: at(5) }
  const clicksIn = (ms: number) => counts[(ms - begin) / minuteMs] ?? 0
  return {
    through: (state: ThresholdState, minute: number) => judge(threshold, state, at(minute), clicksIn),
    /** By the rules, minute by minute, without a running sum. */
    model(): Crossing[] {
      const crossings: Crossing[] = []
      let met: number | undefined
      for (let end = 6; end <= counts.length; end += 1) {
        const from = end - rest.windowMinutes
        const sum = counts.slice(Math.max(5, from), end).reduce((total, each) => total + each, 0)
        const holds = rest.clicks === undefined ? sum === 0 && from >= 5 : sum >= rest.clicks
        if (holds && met === undefined) {
          crossings.push({ endMs: at(end), clicks: sum })
          met = end
        } else if (!holds && (rest.clicks === undefined || end >= (met ?? 0) + rest.windowMinutes)) met = undefined
      }
      return crossings
    },
  }
}

describe('judging a threshold', () => {
  test('tells each crossing once, however the time is divided into judgements', () => {
    fc.assert(
      fc.property(situation, fc.array(fc.integer({ min: 0, max: 60 })), (given, stops) => {
        const { through, model } = judgeAll(given)
        let state = start
        const crossings: Crossing[] = []
        for (const minute of [...stops.sort((a, b) => a - b), given.counts.length]) {
          const judged = through(state, Math.min(minute, given.counts.length))
          expect(judged.state.judgedThroughMs).toBeGreaterThanOrEqual(state.judgedThroughMs)
          state = judged.state
          crossings.push(...judged.crossings)
        }
        expect(crossings).toEqual(model())
      }),
      { numRuns: 2_000, interruptAfterTimeLimit: 20_000 },
    )
  })

  test('tells windows that have no minute in common', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const ends = judgeAll(given)
          .through(start, given.counts.length)
          .crossings.map(({ endMs }) => endMs)
        for (const [place, end] of ends.entries()) {
          if (place > 0)
            expect(end - (ends[place - 1] as number)).toBeGreaterThanOrEqual(given.windowMinutes * minuteMs)
        }
      }),
      { numRuns: 1_000, interruptAfterTimeLimit: 10_000 },
    )
  })

  test('tells a number of clicks when it is reached, and again after a window that fell short', () => {
    const { through } = judgeAll({ clicks: 3, windowMinutes: 2, counts: [9, 9, 9, 9, 9, 1, 1, 2, 2, 0, 0, 3, 3] })
    expect(through(start, 13).crossings).toEqual([
      { endMs: at(8), clicks: 3 },
      { endMs: at(12), clicks: 3 },
    ])
  })

  test('tells silence after a whole window since the creation, and again after a click', () => {
    const { through } = judgeAll({
      clicks: undefined,
      windowMinutes: 3,
      counts: [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
    })
    expect(through(start, 7).crossings).toEqual([])
    expect(through(start, 13).crossings).toEqual([
      { endMs: at(8), clicks: 0 },
      { endMs: at(13), clicks: 0 },
    ])
  })
})
