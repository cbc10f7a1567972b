import { TargetCounts } from '@clicktally/requests/target-counts.ts'
import { describe, expect, it } from 'vitest'
import { compareCounts } from '../comparison.ts'
import { describeComparison, renderTops } from '../report.ts'

function counts(...entries: [string, number, number][]): TargetCounts {
  const made = new TargetCounts()
  for (const [target, people, bots] of entries) made.add(target, people, bots)
  return made
}

describe('the comparison', () => {
  const expected = counts(['/a', 5, 1], ['/b', 3, 0], ['/bot', 0, 2])

  it('treats equal counts as equal in any order', () => {
    const comparison = compareCounts(counts(['/bot', 0, 2], ['/b', 3, 0], ['/a', 5, 1]), expected, expected)
    expect(comparison).toMatchObject({ equal: true, differences: [] })
    expect(describeComparison(comparison, expected).join()).toContain('All counts are equal: 11 clicks on 3 targets.')
  })

  it('finds a click that is missing, one too many, and a target that nobody clicked, the largest first', () => {
    const counted = counts(['/a', 3, 1], ['/b', 4, 0], ['/bot', 0, 2], ['/strange', 1, 0])
    const comparison = compareCounts(counted, counted, expected)
    expect(comparison.equal).toBe(false)
    expect(comparison.differences).toEqual([
      { target: '/a', counted: { people: 3, bots: 1 }, expected: { people: 5, bots: 1 } },
      { target: '/b', counted: { people: 4, bots: 0 }, expected: { people: 3, bots: 0 } },
      { target: '/strange', counted: { people: 1, bots: 0 }, expected: { people: 0, bots: 0 } },
    ])
  })

  it('finds a person counted as a bot, though the sum is right', () => {
    const counted = counts(['/a', 4, 2], ['/b', 3, 0], ['/bot', 0, 2])
    expect(compareCounts(counted, counted, expected).differences).toHaveLength(1)
  })

  it('reports totals that differ from the sum over the targets', () => {
    const comparison = compareCounts(expected, { people: 7, bots: 3 }, expected)
    expect(comparison).toMatchObject({ equal: false, differences: [] })
    expect(describeComparison(comparison, expected).join('\n')).toMatch(/total of the API: +7 by people/)
  })

  it('shows both lists in 100 columns, each sorted for itself', () => {
    const long = `/blog/${'a-very-long-title-'.repeat(8)}.html`
    const counted = counts([long, 12_345, 0], ['/a', 5, 1])
    const lines = renderTops(compareCounts(counted, counted, counts([long, 4, 0], ['/a', 5, 1])), 'a.log')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100)
    expect(lines.slice(2)).toEqual([
      expect.stringMatching(/^1 {2}\/blog.*….*html +12,345 +0 {2}\/a +6 +1 {2}≠$/),
      expect.stringMatching(/^2 {2}\/a +6 +1 {2}\/blog.*….*html +4 +0 {2}≠$/),
    ])
  })

  it('shows twenty differing targets, and how many there are besides', () => {
    const many = counts(...Array.from({ length: 25 }, (_, index): [string, number, number] => [`/${index}`, 1, 0]))
    const lines = describeComparison(compareCounts(counts(), counts(), many), many)
    expect(lines.at(-1)).toBe('… and 5 more')
  })
})

describe('counts by target', () => {
  it('rank by all clicks, then by code units', () => {
    const ranked = counts(['/b', 1, 1], ['/B', 2, 0], ['/c', 0, 3], ['/é', 2, 0]).top(3)
    expect(ranked.map(({ target }) => target)).toEqual(['/c', '/B', '/b'])
  })

  it('know what came since earlier ones', () => {
    const since = counts(['/a', 5, 1], ['/b', 3, 0], ['/new', 1, 0]).since(counts(['/a', 5, 0], ['/b', 3, 0]))
    expect(since.top(9)).toEqual([
      { target: '/a', people: 0, bots: 1 },
      { target: '/new', people: 1, bots: 0 },
    ])
    expect(since).toMatchObject({ people: 1, bots: 1, clicks: 2, size: 2 })
  })
})
