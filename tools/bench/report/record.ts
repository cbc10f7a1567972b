import { readFile } from 'node:fs/promises'
import type { Section } from '../measurement.ts'
import type { Outcome } from '../suite.ts'
import type { Machine } from '../system/machine.ts'

interface Record {
  readonly machine: Machine
  readonly measurements: readonly (Partial<Section> & Omit<Outcome, 'measurement' | 'section'> & { name: string })[]
}

/** The results in docs/benchmarks.json; none if there is no such file. */
export async function readOutcomes(path: string): Promise<Outcome[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return []
  const { machine, measurements } = JSON.parse(text) as Record
  const ofRun = `${machine.hardware}, ${machine.system}`
  return measurements.map(({ name, failure, tookMs, stolen, startedAt, short, measuredOn = ofRun, ...section }) => ({
    measurement: { name, title: section.title ?? name },
    section: section.title === undefined ? undefined : withoutNulls(section as Section),
    ...{ failure, tookMs, stolen, startedAt, short, measuredOn },
  }))
}

/** JSON has null for a cell that is undefined. */
function withoutNulls(section: Section): Section {
  const tables = section.tables.map(({ rows, ...table }) => ({
    ...table,
    rows: rows.map(({ cells, ...row }) => ({ ...row, cells: cells.map((samples) => samples ?? undefined) })),
  }))
  return { ...section, tables }
}

/**
 * The results after a run: those of the same measurements are replaced.
 *
 * @param names of all measurements, in their order; results of others are dropped
 */
export function withRun(before: readonly Outcome[], run: readonly Outcome[], names: readonly string[]): Outcome[] {
  const outcomes = new Map([...before, ...run].map((outcome) => [outcome.measurement.name, outcome]))
  return names.flatMap((name) => outcomes.get(name) ?? [])
}
