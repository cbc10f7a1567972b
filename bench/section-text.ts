import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import { isMet, samplesText, targetText } from './figure-text.ts'
import type { Section } from './measurement.ts'
import type { Outcome } from './suite.ts'
import { type Target, type TargetName, targets } from './targets.ts'

/** A target, and what became of it in this run. */
export interface Standing {
  readonly name: TargetName
  readonly target: Target
  /** Empty where it was not measured, or does not count. */
  readonly samples: readonly number[]
  readonly state: 'met' | 'missed' | 'void' | 'not measured'
  readonly note: string | undefined
}

/** Every target there is, in its own order. */
export function standingsOf(outcomes: readonly Outcome[]): Standing[] {
  return (Object.entries(targets) as [TargetName, Target][]).map(([name, target]) => {
    const sections = outcomes.flatMap(({ section }) => section ?? [])
    const section = sections.find(({ verdicts }) => verdicts.some((verdict) => verdict.target === name))
    const verdict = section?.verdicts.find((each) => each.target === name)
    if (section === undefined || verdict === undefined) {
      return { name, target, samples: [], state: 'not measured', note: undefined }
    }
    const { samples, note } = verdict
    // A figure of a run in which clicks were lost or counted twice is a figure of something else.
    if (section.voided.length > 0 || samples.length === 0)
      return { name, target, samples: [], state: 'void', note: undefined }
    if (isMet(target, samples)) return { name, target, samples, state: 'met', note: undefined }
    return { name, target, samples, state: 'missed', note: note ?? target.heldBy }
  })
}

/** What a measurement found, for a terminal of 100 columns. */
export function outcomeLines({ measurement, section, failure, tookMs }: Outcome): string[] {
  const took = `${Math.round(tookMs / 1_000)} s`
  if (section === undefined)
    return ['', `${measurement.name}: BROKEN OFF after ${took}`, ...(failure ?? '').split('\n')]
  return [
    '',
    `${section.title} (${measurement.name}, ${took})`,
    ...section.tables.flatMap((table) => [
      '',
      ...(table.caption === undefined ? [] : [table.caption]),
      ...renderTable(
        [{ title: table.of, align: 'left' }, ...table.columns.map(columnOf)],
        table.rows.map(({ name, cells, voided }) =>
          voided === undefined ? [name, ...cells.map(cellText)] : [name, `VOID: ${voided}`],
        ),
      ),
    ]),
    ...standingLines(section, { measurement, section, failure, tookMs }),
    ...section.voided.map((reason) => `VOID: ${reason}`),
  ]
}

export function standingLine({ name, target, samples, state, note }: Standing): string {
  const figure = samples.length === 0 ? '' : ` ${samplesText(samples)} ${target.unit},`
  return `${state.padEnd(6)} ${name}:${figure} wanted ${targetText(target)}${note === undefined ? '' : ` (${note})`}`
}

export function cellText(samples: readonly number[] | undefined): string {
  return samples === undefined ? '–' : samplesText(samples)
}

function standingLines(section: Section, outcome: Outcome): string[] {
  const own = new Set(section.verdicts.map(({ target }) => target))
  const standings = standingsOf([outcome]).filter(({ name }) => own.has(name))
  return standings.length === 0 ? [] : ['', ...standings.map(standingLine)]
}

function columnOf({ name, unit }: { readonly name: string; readonly unit: string }): Column {
  return { title: unit === '' ? name : `${name}, ${unit}`, align: 'right' }
}
