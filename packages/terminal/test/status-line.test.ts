import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { StatusLine } from '../status-line.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('without a terminal, a status is printed when it has changed, and at least once a minute', () => {
  const lines: string[] = []
  let status = 'first'
  const line = new StatusLine({ terminal: undefined, print: (text) => lines.push(text), status: () => status })
  vi.advanceTimersByTime(59_000)
  expect(lines).toEqual(['first'])
  vi.advanceTimersByTime(10_000)
  expect(lines).toEqual(['first', 'first'])
  status = 'second'
  vi.advanceTimersByTime(5_000)
  expect(lines).toEqual(['first', 'first', 'second'])
  line.stop()
  vi.advanceTimersByTime(600_000)
  expect(lines).toHaveLength(3)
})
