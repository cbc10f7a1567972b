import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { explain } from '@clicktally/local/problem.ts'
import type { Measurement, Section } from './measurement.ts'
import { terminalTable } from './report/figure-table.ts'
import { resultLine, targetResults } from './report/targets.ts'
import type { BenchSystem } from './system/bench-system.ts'
import { watchStolenTime } from './system/machine.ts'

/** The result of a measurement: its section, or why it failed. */
export interface Outcome {
  readonly measurement: Pick<Measurement, 'name' | 'title'>
  readonly section: Section | undefined
  readonly failure: string | undefined
  readonly tookMs: number
  /** ISO 8601. */
  readonly startedAt: string
  readonly short: boolean
  /** Hardware and operating system. Undefined: those of the run that the document is written by. */
  readonly measuredOn?: string | undefined
  /** Share of CPU time that the hypervisor gave to other machines; undefined if unknown. */
  readonly stolen?: number | undefined
}

export interface SuiteOptions {
  readonly measurements: readonly Measurement[]
  readonly short: boolean
  /** Each measurement gets a folder in it. */
  readonly dir: string
  readonly signal: AbortSignal
  /** Called once, when a measurement first needs the system. */
  readonly startSystem: () => Promise<BenchSystem>
  readonly onProgress: (text: string) => void
  readonly onOutcome: (outcome: Outcome) => void
}

const rounds = { full: 5, short: 2 }

/**
 * Runs the measurements one after the other on the same system. Continues after a failure.
 *
 * @throws the signal's reason when it is aborted
 */
export async function runSuite(options: SuiteOptions): Promise<Outcome[]> {
  const { measurements, short, signal, onProgress, onOutcome } = options
  const outcomes: Outcome[] = []
  let system: Promise<BenchSystem> | undefined
  const startedAtMs = performance.now()
  for (const [index, measurement] of measurements.entries()) {
    signal.throwIfAborted()
    const begunAtMs = performance.now()
    const startedAt = new Date().toISOString()
    const stolenSince = watchStolenTime()
    const dir = join(options.dir, measurement.name)
    await mkdir(dir, { recursive: true })
    let section: Section | undefined
    let failure: string | undefined
    try {
      section = await measurement.run({
        ...{ short, rounds: short ? rounds.short : rounds.full, dir, signal },
        progress: (what, share) => {
          const elapsed = `${Math.round((performance.now() - startedAtMs) / 1_000)} s`.padStart(6)
          const place = `[${index + 1}/${measurements.length}]`
          onProgress(`${elapsed}  ${place} ${measurement.title}: ${what} (${Math.round(share * 100)} %)`)
        },
        system: () => {
          system ??= options.startSystem()
          return system
        },
      })
    } catch (error) {
      signal.throwIfAborted()
      failure = explain(error)
    }
    const tookMs = performance.now() - begunAtMs
    const outcome = { measurement, section, failure, tookMs, startedAt, short, stolen: stolenSince() }
    outcomes.push(outcome)
    onOutcome(outcome)
  }
  return outcomes
}

/** Returns the sections of all measurements that did not fail. */
export function sectionsOf(outcomes: readonly Outcome[]): Section[] {
  return outcomes.flatMap(({ section }) => section ?? [])
}

/** Returns why the run failed, one reason per entry; empty if all figures are valid. */
export function troubleOf(outcomes: readonly Outcome[]): string[] {
  return outcomes.flatMap(({ measurement, section, failure }) => [
    ...(failure === undefined ? [] : [`${measurement.name} failed: ${failure}`]),
    ...(section?.voided ?? []).map((reason) => `${measurement.name} is void: ${reason}`),
  ])
}

/** Formats an outcome for the terminal. */
export function outcomeLines({ measurement, section, failure, tookMs }: Outcome): string[] {
  const took = `${Math.round(tookMs / 1_000)} s`
  if (section === undefined) return ['', `${measurement.name} FAILED after ${took}`, ...(failure ?? '').split('\n')]
  const results = targetResults([section]).filter(({ state }) => state !== 'not measured')
  return [
    '',
    `${section.title} (${measurement.name}, ${took})`,
    ...section.tables.flatMap((table) => ['', ...terminalTable(table)]),
    ...(results.length === 0 ? [] : ['', ...results.map(resultLine)]),
    ...section.voided.map((reason) => `VOID: ${reason}`),
  ]
}
