import { isMet, samplesText, targetText } from './figure-text.ts'
import type { Machine } from './machine.ts'
import type { FigureTable, Section } from './measurement.ts'
import { median } from './samples.ts'
import { cellText, type Standing, standingsOf } from './section-text.ts'
import { type Outcome, troubleOf } from './suite.ts'

export interface DocumentOptions {
  readonly outcomes: readonly Outcome[]
  readonly machine: Machine
  /** As it would be typed. */
  readonly command: string
  readonly short: boolean
  readonly date: Date
  readonly tookMs: number
  /** The name of the plot's file, beside the document; undefined where there is nothing to plot. */
  readonly plot: string | undefined
}

const lineWidth = 120
/** A share of the cores' time that others got, from which on the reader must know. */
const toldStolen = 0.02

/** docs/benchmarks.md: nothing in it is written by hand. */
export function benchmarksDocument(options: DocumentOptions): string {
  const { outcomes, machine, command, short, date, tookMs, plot } = options
  const standings = standingsOf(outcomes)
  const trouble = troubleOf(outcomes)
  const blocks = [
    '# Benchmarks',
    wrapped(`This page is made by \`${command}\`, which starts the whole system (nginx, an ingest, RabbitMQ, processors,
      PostgreSQL, an api) and, beside it, other ways to do the same, measures all of them in the same run, and asks after each
      measurement whether every accepted click was counted exactly once. Everything, the load generator too, shares one
      machine; all traffic stays on it.`),
    wrapped(`${date.toISOString().slice(0, 10)}, ${Math.round(tookMs / 60_000)} minutes${short ? ', the short form' : ''}.
      ${machine.hardware}, ${machine.system}. ${Object.entries(machine.versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', ')}.`),
    wrapped(`How to read a figure: whatever is compared takes turns (A B C, then again, beginning with another one each time),
      and a figure is the median of the rounds, with the least and the most in brackets. A ratio is made of two figures of the
      same round, so that what slows a whole round down slows both; its median is what the target is held against. A figure
      whose clicks were not all counted, or counted more than once, is void, and so is every target that rests on it.${
        short
          ? ' In the short form rounds are few and fewer clicks are stored: where a target names an amount or a time, its section says how much it was.'
          : ''
      }`),
    ...(trouble.length === 0
      ? []
      : [`**Not everything counts:**\n\n${trouble.map((each) => `- ${oneLine(each)}`).join('\n')}`]),
    '## Targets',
    tally(standings),
    targetsTable(standings),
    ...(plot === undefined ? [] : [`![What accepting a click costs, each design beside the others](${plot})`]),
    ...outcomes.flatMap(({ section, stolen }) => (section === undefined ? [] : sectionBlocks(section, stolen))),
  ]
  return `${blocks.join('\n\n')}\n`
}

/** docs/benchmarks.json: every sample of every round. */
export function benchmarksJson({ outcomes, machine, command, short, date, tookMs }: DocumentOptions): string {
  const document = {
    command,
    short,
    date: date.toISOString(),
    tookMs: Math.round(tookMs),
    machine,
    targets: standingsOf(outcomes).map(({ name, target, samples, state, note }) => ({
      name,
      ...target,
      ...(samples.length > 0 && { median: median(samples), met: isMet(target, samples) }),
      samples,
      state,
      ...(note !== undefined && { note }),
    })),
    measurements: outcomes.map(({ measurement, section, failure, tookMs: took, stolen }) => ({
      name: measurement.name,
      tookMs: Math.round(took),
      ...(stolen !== undefined && { stolen: Number(stolen.toFixed(4)) }),
      ...(failure !== undefined && { failure }),
      ...section,
    })),
  }
  return `${JSON.stringify(document, undefined, 2)}\n`
}

function targetsTable(standings: readonly Standing[]): string {
  const rows = standings.map(({ target, samples, state, note }) => [
    target.what,
    targetText(target),
    samples.length === 0 ? '–' : `${samplesText(samples)} ${target.unit}`,
    state === 'met' ? 'met' : `**${state}**${note === undefined ? '' : `: ${note}`}`,
  ])
  return table(
    [{ title: 'what', left: true }, { title: 'target' }, { title: 'figure' }, { title: '', left: true }],
    rows,
  )
}

function sectionBlocks({ title, about, tables, voided }: Section, stolen: number | undefined): string[] {
  return [
    `## ${title}`,
    ...about.map(wrapped),
    ...(stolen === undefined || stolen < toldStolen ? [] : [wrapped(stolenText(stolen))]),
    ...(voided.length === 0 ? [] : [`**Void:** ${voided.map(oneLine).join('; ')}.`]),
    ...tables.flatMap((each) => [...(each.caption === undefined ? [] : [each.caption]), figuresTable(each)]),
  ]
}

function stolenText(stolen: number): string {
  return `**The machine was not ours alone:** of its cores' time the hypervisor gave ${Math.round(stolen * 100)} % to others meanwhile.`
}

function figuresTable({ of, columns, rows }: FigureTable): string {
  return table(
    [
      { title: of, left: true },
      ...columns.map(({ name, unit }) => ({ title: unit === '' ? name : `${name}, ${unit}` })),
    ],
    rows.map(({ name, cells, voided }) =>
      voided === undefined
        ? [name, ...cells.map(cellText)]
        : [name, ...columns.map((_, index) => (index === 0 ? `void: ${oneLine(voided)}` : ''))],
    ),
  )
}

function table(titles: readonly { title: string; left?: boolean }[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [
    line(titles.map(({ title }) => title)),
    `|${titles.map(({ left }) => (left ? '---' : '---:')).join('|')}|`,
    ...rows.map(line),
  ].join('\n')
}

function tally(standings: readonly Standing[]): string {
  const of = (wanted: Standing['state']) => standings.filter(({ state }) => state === wanted).length
  const unmeasured = of('not measured')
  return `${of('met')} of ${standings.length} met${unmeasured > 0 ? `, ${unmeasured} not measured` : ''}.`
}

/** A paragraph in lines as long as those of the other documents. */
function wrapped(paragraph: string): string {
  const lines: string[] = []
  for (const word of paragraph.split(/\s+/).filter((each) => each !== '')) {
    const line = lines.at(-1)
    if (line === undefined || line.length + 1 + word.length > lineWidth) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines.join('\n')
}

function oneLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
