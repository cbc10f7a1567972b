import type { Balance } from '@clicktally/database/balance.ts'
import type { Row } from './stage.ts'

/** A measured time and its limit, in milliseconds. Without a limit it is only reported. */
export interface TimePromise {
  readonly name: string
  readonly limitMs: number | undefined
  readonly worstMs: number
  readonly times: number
}

/** Results of a run of the suite. */
export class Findings {
  readonly rows: Row[] = []
  readonly notes: string[] = []
  readonly balances: { readonly moment: string; readonly balance: Balance }[] = []
  /** Errors that ended a scenario early. */
  readonly failures: string[] = []
  readonly #promises = new Map<string, TimePromise>()

  get promises(): TimePromise[] {
    return [...this.#promises.values()]
  }

  promise(name: string, limitMs: number | undefined, measuredMs: number): void {
    const { worstMs, times } = this.#promises.get(name) ?? { worstMs: 0, times: 0 }
    this.#promises.set(name, { name, limitMs, worstMs: Math.max(worstMs, measuredMs), times: times + 1 })
  }

  /** One sentence for each failed check; empty after a successful run. */
  get problems(): string[] {
    return [
      ...this.rows.flatMap(({ number, name, problems }) => problems.map((problem) => `${number} ${name}: ${problem}`)),
      ...this.failures,
      ...this.promises
        .filter(({ limitMs, worstMs }) => limitMs !== undefined && worstMs > limitMs)
        .map(({ name, limitMs = 0, worstMs }) => `${name}: took ${seconds(worstMs)}, limit ${seconds(limitMs)}`),
    ]
  }
}

/** `7.2 s` */
export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
