import { readBalance } from '@clicktally/database/balance.ts'
import type { FaultSystem } from './fault-system.ts'
import type { Findings } from './findings.ts'
import { RowPlay } from './row-play.ts'
import type { Breaking, Row, RowOptions, Scenario, Stage } from './stage.ts'

export interface FaultStageOptions {
  readonly system: FaultSystem
  readonly short: boolean
  readonly findings: Findings
  readonly onRow: (row: Row) => void
}

/** What ingest promises for its answers: its own limit for a confirm is 4 s. */
const answerWithinMs = 5_000
const maxNameLength = 40

/** Where the scenarios are played, one after the other, and what they find is gathered. */
export class FaultStage implements Stage {
  readonly system: FaultSystem
  readonly short: boolean
  readonly #findings: Findings
  readonly #onRow: (row: Row) => void
  #scenario: Scenario | undefined
  #rows = 0
  #play: RowPlay | undefined
  #doing = ''

  constructor({ system, short, findings, onRow }: FaultStageOptions) {
    this.system = system
    this.short = short
    this.#findings = findings
    this.#onRow = onRow
  }

  /** What goes on at this moment, in one line. */
  get status(): { doing: string; sent: number; accepted: number; counted: number } {
    const { sent, accepted, counted } = this.#play?.progress ?? { sent: 0, accepted: 0, counted: 0 }
    return { doing: `${this.#scenario?.number ?? ''} ${this.#doing}`, sent, accepted, counted }
  }

  get hasProblems(): boolean {
    return this.#findings.problems.length > 0
  }

  async play(scenario: Scenario): Promise<void> {
    this.#scenario = scenario
    this.#doing = scenario.title
    try {
      await scenario.run(this)
    } finally {
      this.#play = undefined
      this.#doing = ''
    }
  }

  async row(name: string, fault: (breaking: Breaking) => Promise<void>, options: RowOptions = {}): Promise<Row> {
    if (name.length > maxNameLength)
      throw new Error(`the name of a row has at most ${maxNameLength} characters: ${name}`)
    const number = this.#scenario?.number ?? 0
    this.#rows += 1
    this.#doing = name
    const clicksAround = this.short ? 80 : 300
    this.#play = new RowPlay({
      clicksAround,
      ...options,
      system: this.system,
      number,
      name,
      // Each scenario once in the life of a system: no other row has these targets.
      prefix: `fault-${number}-${this.#rows}`,
    })
    const row = await this.#play.play(fault)
    this.#findings.rows.push(row)
    this.#findings.promise('ingest answers, whatever is broken', answerWithinMs, row.slowestAnswerMs)
    const lies = row.told.counts.lies + row.told.balance.lies
    if (options.mayLieBecause !== undefined && lies > 0)
      this.note(`${name}: ${lies} answers claimed too much, for ${options.mayLieBecause}.`)
    this.#onRow(row)
    return row
  }

  note(text: string): void {
    this.#findings.notes.push(text)
  }

  promise(name: string, limitMs: number | undefined, measuredMs: number): void {
    this.#findings.promise(name, limitMs, measuredMs)
  }

  async recordBalance(moment: string): Promise<void> {
    this.#findings.balances.push({ moment, balance: await readBalance(this.system.database) })
  }

  say(text: string): void {
    this.#doing = text
  }
}
