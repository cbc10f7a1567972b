import { homeCell } from '@clicktally/system/cells.ts'
import { problem } from '../errors.ts'
import type { Cell } from './cell.ts'

/** All cells. The first is the home cell, which also has keys, users and everything else that is not clicks. */
export class Cells {
  readonly all: readonly Cell[]
  readonly home: Cell
  readonly #byName: ReadonlyMap<string, Cell>

  constructor(home: Cell, others: readonly Cell[]) {
    this.home = home
    this.all = [home, ...others]
    this.#byName = new Map(this.all.map((cell) => [cell.name, cell]))
  }

  /** Whether there is only the home cell. */
  get isSingle(): boolean {
    return this.all.length === 1
  }

  /** @throws {ServiceProblem} cell_unknown */
  named(name: string = homeCell): Cell {
    const cell = this.#byName.get(name)
    if (cell !== undefined) return cell
    throw problem(
      'cell_unknown',
      `This api does not know the cell "${name}": add it to CELL_DATABASE_URLS and CELL_BROKER_URLS.`,
    )
  }
}
