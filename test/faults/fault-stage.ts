import { readBalance } from '@clicktally/database/balance.ts'
import type { Findings } from './findings.ts'
import { isChosen } from './options.ts'
import { RowPlay } from './row-play.ts'
import type { Breaking, Row, RowOptions, Scenario, Stage } from './stage.ts'
import type { SystemUnderTest } from './system-under-test.ts'

export interface FaultStageOptions<System extends SystemUnderTest> {
  readonly system: System
  readonly short: boolean
  readonly findings: Findings
  /** Words in the names of the rows to run; undefined runs all. */
  readonly rows?: readonly string[] | undefined
  readonly onRow: (row: Row) => void
}

/** Limit for an answer of ingest, which waits up to 4 s for a confirm. */
const answerWithinMs = 5_000
const maxNameLength = 40

/** Runs the scenarios one after the other and collects their findings. */
export class FaultStage<System extends SystemUnderTest> implements Stage<System> {
  readonly system: System
  readonly short: boolean
  readonly #findings: Findings
  readonly #wanted: readonly string[] | undefined
  readonly #onRow: (row: Row) => void
  #scenario: Scenario<System> | undefined
  #rows = 0
  #play: RowPlay | undefined
  #doing = ''

  constructor({ system, short, findings, rows, onRow }: FaultStageOptions<System>) {
    this.system = system
    this.short = short
    this.#findings = findings
    this.#wanted = rows
    this.#onRow = onRow
  }

  /** Current state, for the status line. */
  get status(): { doing: string; sent: number; accepted: number; counted: number } {
    const { sent, accepted, counted } = this.#play?.progress ?? { sent: 0, accepted: 0, counted: 0 }
    return { doing: `${this.#scenario?.number ?? ''} ${this.#doing}`, sent, accepted, counted }
  }

  get hasProblems(): boolean {
    return this.#findings.problems.length > 0
  }

  async play(scenario: Scenario<System>): Promise<void> {
    this.#scenario = scenario
    this.#doing = scenario.title
    this.#findings.begin(scenario.number, '')
    try {
      await scenario.run(this)
    } finally {
      this.#play = undefined
      this.#doing = ''
    }
  }

  async row(
    name: string,
    fault: (breaking: Breaking) => Promise<void>,
    options: RowOptions = {},
  ): Promise<Row | undefined> {
    if (name.length > maxNameLength)
      throw new Error(`the name of a row is limited to ${maxNameLength} characters: ${name}`)
    if (!isChosen(name, this.#wanted)) return undefined
    const number = this.#scenario?.number ?? 0
    this.#findings.begin(number, name)
    this.#rows += 1
    this.#doing = name
    const clicksAround = this.short ? 80 : 300
    this.#play = new RowPlay({
      clicksAround,
      ...options,
      system: this.system,
      number,
      name,
      // Each scenario runs once on a system: no other row has these targets.
      prefix: `fault-${number}-${this.#rows}`,
    })
    const row = await this.#play.play(fault)
    this.#findings.current.row = row
    this.#findings.promise('response time of ingest during any fault', answerWithinMs, row.slowestAnswerMs)
    const wrong = row.apiAnswers.counts.wrong + row.apiAnswers.balance.wrong
    if (options.mayBeWrongBecause !== undefined && wrong > 0)
      this.note(`${name}: ${wrong} answers of the api were wrong, because ${options.mayBeWrongBecause}.`)
    this.#onRow(row)
    return row
  }

  note(text: string): void {
    this.#findings.current.notes.push(text)
  }

  promise(name: string, limitMs: number | undefined, measuredMs: number): void {
    this.#findings.promise(name, limitMs, measuredMs)
  }

  async recordBalance(moment: string): Promise<void> {
    this.#findings.current.balances.push({ moment, balance: await readBalance(this.system.database) })
  }

  setStatus(text: string): void {
    this.#doing = text
  }
}
