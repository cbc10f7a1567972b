import { playTurn, type TurnFigures } from './accepting-turn.ts'
import { ClickOracle } from './click-oracle.ts'
import type { Design } from './design.ts'
import type { LoadGenerator } from './load-generator.ts'
import type { BenchSystem, FigureRow, Stage } from './measurement.ts'
import { pairedRatios } from './samples.ts'

export interface AcceptingRoundsOptions {
  readonly stage: Stage
  readonly system: BenchSystem
  readonly generator: LoadGenerator
  readonly designs: readonly Design[]
  /** Numbers of connections, and which designs are asked with so many; default all. */
  readonly loads: readonly { readonly connections: number; readonly designs?: readonly string[] }[]
  readonly clicksPerRequest: number
  /** Many short ones: a shared machine that changes its speed changes it within a long round, too. */
  readonly rounds: number
  /** After so many rounds, and at the end, what Clicktally has accepted is counted. */
  readonly roundsUntilCounted: number
  /** Milliseconds of a turn that are measured; those before a design's first turn, in which it gets warm; and before others. */
  readonly measuredMs: number
  readonly firstWarmUpMs: number
  readonly warmUpMs: number
}

/** What came of rounds in which each design had its turn under each load. */
export class AcceptingRounds {
  readonly #turns = new Map<string, TurnFigures[]>()
  readonly #voided = new Map<string, string>()

  /** Plays all rounds; each begins with another design. The processors are away while a turn lasts. */
  static async play(options: AcceptingRoundsOptions): Promise<AcceptingRounds> {
    const { stage, system, designs, loads, rounds } = options
    const played = new AcceptingRounds()
    const oracle = await ClickOracle.begin(system)
    const warm = new Set<Design>()
    const turns = loads.flatMap((load) => designs.filter(({ name }) => load.designs?.includes(name) ?? true))
    const share = (round: number, turn: number) => (round + turn / turns.length) / rounds
    for (let round = 0; round < rounds; round++) {
      let turn = 0
      for (const { connections, designs: chosen } of loads) {
        const first = round % designs.length
        for (const design of [...designs.slice(first), ...designs.slice(0, first)]) {
          if (chosen !== undefined && !chosen.includes(design.name)) continue
          stage.signal.throwIfAborted()
          stage.progress(`${design.name}, ${connections} connections, round ${round + 1}`, share(round, turn))
          const figures = await played.#playTurn(design, connections, !warm.has(design), options)
          warm.add(design)
          turn += 1
          if (design.own) oracle.add(figures.accepted, figures.possible)
        }
      }
      if ((round + 1) % options.roundsUntilCounted !== 0 && round < rounds - 1) continue
      stage.progress(`what was accepted up to round ${round + 1} is counted`, share(round, turn))
      const wrong = await oracle.ask()
      for (const { name, own } of designs) if (own) played.#noteCounted(name, wrong)
    }
    return played
  }

  async #playTurn(
    design: Design,
    connections: number,
    isFirst: boolean,
    { stage, generator, clicksPerRequest, measuredMs, firstWarmUpMs, warmUpMs }: AcceptingRoundsOptions,
  ): Promise<TurnFigures> {
    const key = keyOf(design.name, connections)
    const turns = this.#turns.get(key) ?? []
    this.#turns.set(key, turns)
    const figures = await playTurn(design, {
      generator,
      clicksPerRequest,
      content: { kind: 'clicks', clicksPerRequest, seed: turns.length + 1 },
      connections,
      warmUpMs: isFirst ? firstWarmUpMs : warmUpMs,
      measuredMs,
      dir: stage.dir,
      signal: stage.signal,
    })
    turns.push(figures)
    if (figures.voided !== undefined) this.#voided.set(design.name, figures.voided)
    return figures
  }

  /** What the oracle said of all turns of Clicktally up to now. */
  #noteCounted(name: string, wrong: string | undefined): void {
    if (wrong !== undefined) this.#voided.set(name, wrong)
    else for (const turns of this.#turnsOf(name)) for (const turn of turns) turn.keptShare = 1
  }

  #turnsOf(design: string): TurnFigures[][] {
    return [...this.#turns].filter(([key]) => key.startsWith(`${design} `)).map(([, turns]) => turns)
  }

  /** Why figures count for nothing, a clause for each design of which they do. */
  get voided(): string[] {
    return [...this.#voided.values()]
  }

  /** A figure of each round; empty where the design had no turn under that load. */
  figures(design: string, connections: number, figure: (turn: TurnFigures) => number | undefined): number[] {
    const turns = this.#turns.get(keyOf(design, connections)) ?? []
    return turns.flatMap((turn) => figure(turn) ?? [])
  }

  /** The ratios of a figure, round by round. */
  ratios(
    design: string,
    other: string,
    connections: number,
    figure: (turn: TurnFigures) => number | undefined = ({ perSecond }) => perSecond,
  ): number[] {
    return pairedRatios(this.figures(design, connections, figure), this.figures(other, connections, figure))
  }

  /** A row of a table; undefined where the design had no turn under that load. */
  row(
    design: string,
    connections: number,
    columns: readonly ((turn: TurnFigures) => number | undefined)[],
  ): FigureRow | undefined {
    if (!this.#turns.has(keyOf(design, connections))) return undefined
    const voided = this.#voided.get(design)
    const cells = columns.map((column) => {
      const figures = this.figures(design, connections, column)
      return figures.length === 0 ? undefined : figures
    })
    return { name: design, cells, ...(voided !== undefined && { voided }) }
  }
}

function keyOf(design: string, connections: number): string {
  return `${design} ${connections}`
}
