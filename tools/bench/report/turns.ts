import { pairedRatios } from './samples.ts'

/** Turns by what was measured, in the order of the rounds. */
export class Turns<Turn> {
  readonly #turns = new Map<string, Turn[]>()

  add(name: string, turn: Turn): void {
    const turns = this.#turns.get(name)
    if (turns === undefined) this.#turns.set(name, [turn])
    else turns.push(turn)
  }

  of(name: string): readonly Turn[] {
    return this.#turns.get(name) ?? []
  }

  figures(name: string, figure: (turn: Turn) => number | undefined): number[] {
    return this.of(name).flatMap((turn) => figure(turn) ?? [])
  }

  /** Ratios of the turns of the same rounds. */
  ratios(name: string, other: string, figure: (turn: Turn) => number | undefined): number[] {
    return pairedRatios(this.of(name).map(figure), this.of(other).map(figure))
  }

  /** Returns why any turn is void, from a field of the turns. */
  voided(name: string, reason: (turn: Turn) => string | undefined): string | undefined {
    return this.of(name)
      .map(reason)
      .find((each) => each !== undefined)
  }
}
