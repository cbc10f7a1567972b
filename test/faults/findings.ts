import type { Balance } from '@clicktally/database/balance.ts'
import type { Row } from './stage.ts'

/** A measured time and its limit, in milliseconds. Without a limit it is only reported. */
export interface TimePromise {
  readonly name: string
  readonly limitMs?: number | undefined
  readonly worstMs: number
  readonly times: number
}

/** What was found in one row of the table, or in a scenario before its first row. */
export interface Finding {
  /** The number of the scenario. */
  readonly number: number
  /** The name of the row; empty before the first one. */
  readonly name: string
  /** Undefined if the row did not reach its end. */
  row?: Row
  readonly promises: TimePromise[]
  readonly balances: { readonly moment: string; readonly balance: Balance }[]
  readonly notes: string[]
  /** Errors that ended the scenario early. */
  readonly failures: string[]
}

/** Results, row by row. */
export class Findings {
  readonly list: Finding[]

  constructor(list: readonly Finding[] = []) {
    this.list = [...list]
  }

  /** What is found from now on belongs to this row. */
  begin(number: number, name: string): void {
    this.list.push({ number, name, promises: [], balances: [], notes: [], failures: [] })
  }

  /** What is being found. */
  get current(): Finding {
    const finding = this.list.at(-1)
    if (finding === undefined) throw new Error('nothing has begun')
    return finding
  }

  promise(name: string, limitMs: number | undefined, measuredMs: number): void {
    addPromise(this.current.promises, { name, limitMs, worstMs: measuredMs, times: 1 })
  }

  get rows(): Row[] {
    return this.list.flatMap(({ row }) => row ?? [])
  }

  get notes(): string[] {
    return [...new Set(this.list.flatMap(({ notes }) => notes))]
  }

  get balances(): Finding['balances'] {
    return this.list.flatMap(({ balances }) => balances)
  }

  /** One for each name: the worst time of all rows. */
  get promises(): TimePromise[] {
    const all: TimePromise[] = []
    for (const promise of this.list.flatMap(({ promises }) => promises)) addPromise(all, promise)
    return all
  }

  /** One sentence for each failed check; empty after a successful run. */
  get problems(): string[] {
    return [
      ...this.rows.flatMap(({ number, name, problems }) => problems.map((problem) => `${number} ${name}: ${problem}`)),
      ...this.list.flatMap(({ failures }) => failures),
      ...this.promises
        .filter(({ limitMs, worstMs }) => limitMs !== undefined && worstMs > limitMs)
        .map(({ name, limitMs = 0, worstMs }) => `${name}: took ${seconds(worstMs)}, limit ${seconds(limitMs)}`),
    ]
  }
}

function addPromise(list: TimePromise[], { name, limitMs, worstMs, times }: TimePromise): void {
  const index = list.findIndex((each) => each.name === name)
  const before = list[index] ?? { worstMs: 0, times: 0 }
  const sum = { name, limitMs, worstMs: Math.max(before.worstMs, worstMs), times: before.times + times }
  list.splice(index === -1 ? list.length : index, 1, sum)
}

/** `7.2 s` */
export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
