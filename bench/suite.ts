import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { explain } from '@clicktally/local/problem.ts'
import type { StartedSystem } from './bench-system.ts'
import type { Measurement, Section } from './measurement.ts'
import { watchStolenTime } from './stolen-time.ts'

/** What came of a measurement: a section, or why there is none. */
export interface Outcome {
  readonly measurement: Pick<Measurement, 'name' | 'title'>
  readonly section: Section | undefined
  readonly failure: string | undefined
  readonly tookMs: number
  /** Of the cores' time, the share that the hypervisor gave to others meanwhile; undefined where it does not say. */
  readonly stolen?: number | undefined
}

/** Where the run stands. */
export interface Standing {
  readonly measurement: Pick<Measurement, 'name' | 'title'>
  /** The how-manieth of how many it is, from 1. */
  readonly place: number
  readonly of: number
  readonly what: string
  /** From 0 to 1. */
  readonly share: number
}

export interface SuiteOptions {
  readonly measurements: readonly Measurement[]
  readonly short: boolean
  /** For what they write: each has a folder of its own in it. */
  readonly dir: string
  readonly signal: AbortSignal
  /** Called when the first asks for it, and once. */
  readonly startSystem: () => Promise<StartedSystem>
  readonly onStanding: (standing: Standing) => void
  readonly onOutcome: (outcome: Outcome) => void
}

const rounds = 5
/** So that all of it stays below five minutes. */
const roundsOfShort = 2

/**
 * Makes the measurements, one after the other, all on one system. One that fails does not keep the others from being made.
 *
 * @throws the signal's reason when it is aborted
 */
export async function runSuite(options: SuiteOptions): Promise<Outcome[]> {
  const { measurements, short, signal, startSystem, onStanding, onOutcome } = options
  const outcomes: Outcome[] = []
  let system: Promise<StartedSystem> | undefined
  for (const [index, measurement] of measurements.entries()) {
    signal.throwIfAborted()
    const startedAtMs = performance.now()
    const stolenSince = watchStolenTime()
    const progress = (what: string, share: number) =>
      onStanding({ measurement, place: index + 1, of: measurements.length, what, share })
    progress('begins', 0)
    const dir = join(options.dir, measurement.name)
    await mkdir(dir, { recursive: true })
    let section: Section | undefined
    let failure: string | undefined
    try {
      section = await measurement.run({
        short,
        rounds: short ? roundsOfShort : rounds,
        dir,
        signal,
        progress,
        system: () => {
          system ??= startSystem()
          return system
        },
      })
    } catch (error) {
      signal.throwIfAborted()
      failure = explain(error)
    }
    const outcome = { measurement, section, failure, tookMs: performance.now() - startedAtMs, stolen: stolenSince() }
    outcomes.push(outcome)
    onOutcome(outcome)
  }
  return outcomes
}

/** What makes the run as a whole a failure, a clause each; empty if every figure counts. */
export function troubleOf(outcomes: readonly Outcome[]): string[] {
  return outcomes.flatMap(({ measurement, section, failure }) => [
    ...(failure === undefined ? [] : [`${measurement.name} was broken off: ${failure}`]),
    ...(section?.voided ?? []).map((reason) => `${measurement.name} is void: ${reason}`),
  ])
}
