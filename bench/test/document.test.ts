import { describe, expect, it } from 'vitest'
import { benchmarksDocument, benchmarksJson, type DocumentOptions } from '../document.ts'
import type { Section } from '../measurement.ts'
import { plotSvg } from '../plot.ts'
import { outcomeLines, standingsOf } from '../section-text.ts'
import { type Outcome, troubleOf } from '../suite.ts'
import { targets } from '../targets.ts'

const section: Section = {
  title: 'Accepting',
  about: ['Each has its turn.'],
  tables: [
    {
      caption: '256 connections',
      of: 'design',
      columns: [
        { name: 'accepted', unit: 'clicks/s' },
        { name: 'memory', unit: 'MB' },
      ],
      rows: [
        { name: 'Clicktally', cells: [[18_000, 20_000, 19_000], [101.26]] },
        { name: 'a | b', cells: [[9_000.4, 9_500, 9_200], undefined] },
        { name: 'liar', cells: [[1], [1]], voided: '5 clicks were accepted, 4 stored' },
      ],
    },
  ],
  verdicts: [
    { target: 'accepting256', samples: [1.02, 1.1, 0.99] },
    { target: 'acceptingPerClickConfirm', samples: [1.9, 1.8, 2.1], note: 'V8 parses' },
  ],
  voided: [],
}

function outcomeOf(changes: Partial<Outcome> & { section?: Section | undefined }): Outcome {
  const measurement = { name: 'accepting', title: 'accepting' }
  return { measurement, section, failure: undefined, tookMs: 61_000, ...changes }
}

function documentOf(...outcomes: Outcome[]): DocumentOptions {
  return {
    outcomes,
    machine: { hardware: '2 cores (a CPU), 24 GiB of memory', system: 'linux 6.1 x64', versions: { nginx: '1.22.1' } },
    command: 'npm run bench -- --write',
    short: false,
    date: new Date('2026-11-21T10:00:00Z'),
    tookMs: 25.4 * 60_000,
    plot: 'benchmarks.svg',
  }
}

describe('the document', () => {
  const text = benchmarksDocument(documentOf(outcomeOf({})))

  it('begins with the machine, the versions, the date and the command', () => {
    expect(text).toContain('made by `npm run bench -- --write`')
    expect(text).toContain('2026-11-21, 25 minutes. 2 cores (a CPU), 24 GiB of memory, linux 6.1 x64. nginx 1.22.1.')
  })

  it('has every target, its figure and what became of it', () => {
    expect(text).toContain('against the same route with no broker | ≥ 1.00 × | 1.02 (0.99–1.10) × | met |')
    expect(text).toContain('≥ 2.00 × | 1.90 (1.80–2.10) × | **missed**: V8 parses |')
    const all = Object.keys(targets).length
    expect(text).toContain(`1 of ${all} met, ${all - 2} not measured.`)
    expect(text).toContain('| – | **not measured** |')
  })

  it('has figures as the median and the spread, and says where one is void', () => {
    expect(text).toContain('| Clicktally | 19,000 (18,000–20,000) | 101 |')
    expect(text).toContain('| a \\| b | 9,200 (9,000–9,500) | – |')
    expect(text).toContain('| liar | void: 5 clicks were accepted, 4 stored |  |')
  })

  it('takes no target from a measurement that is void, nor from one that was broken off', () => {
    const voided = outcomeOf({ section: { ...section, voided: ['7 accepted, 6 counted'] } })
    expect(standingsOf([voided]).find(({ name }) => name === 'accepting256')?.state).toBe('void')
    expect(troubleOf([voided])).toEqual(['accepting is void: 7 accepted, 6 counted'])
    expect(benchmarksDocument(documentOf(voided))).toContain('**Void:** 7 accepted, 6 counted.')
    const broken = outcomeOf({ section: undefined, failure: 'no broker\n  at line 1' })
    expect(standingsOf([broken]).every(({ state }) => state === 'not measured')).toBe(true)
    expect(benchmarksDocument(documentOf(broken))).toContain('- accepting was broken off: no broker\n')
  })

  it('has every sample in the JSON beside it', () => {
    const json = JSON.parse(benchmarksJson(documentOf(outcomeOf({}))))
    const [target] = json.targets.filter(({ name }: { name: string }) => name === 'accepting256')
    expect(target).toMatchObject({ median: 1.02, met: true, samples: [1.02, 1.1, 0.99] })
    expect(json.measurements[0].tables[0].rows[0].cells[0]).toEqual([18_000, 20_000, 19_000])
  })

  it('fits a terminal as a table too', () => {
    const lines = outcomeLines(outcomeOf({}))
    expect(lines.join('\n')).toContain('19,000 (18,000–20,000)')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(130)
  })
})

describe('the plot', () => {
  const bars = [
    { name: 'Clicktally', samples: [18_000, 20_000, 19_000], own: true },
    { name: 'a <b> & c', samples: [9_000] },
    { name: 'nothing', samples: [] },
  ]
  const svg = plotSvg({ title: 'Accepting', unit: 'clicks/s', bars })

  it('tells in words what it shows, for who can not see it', () => {
    expect(svg).toContain(
      '<desc id="desc">In clicks/s, the median of the rounds. Clicktally: 19,000; a &lt;b&gt; &amp; c: 9,000.</desc>',
    )
  })

  it('has a bar for each that has figures, the longest for the most', () => {
    const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width))
    expect(widths).toHaveLength(2)
    expect((widths[0] ?? 0) / (widths[1] ?? 1)).toBeCloseTo(19 / 9, 1)
  })

  it('follows a dark theme', () => {
    expect(svg).toContain('prefers-color-scheme: dark')
  })
})
