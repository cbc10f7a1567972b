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

  /** The cell of a project. @throws {ServiceProblem} cell_unknown: the configuration lacks it */
  named(name: string = homeCell): Cell {
    const cell = this.#byName.get(name)
    if (cell !== undefined) return cell
    throw problem(
      'cell_unknown',
      `This api does not know the cell "${name}": add it to CELL_DATABASE_URLS and CELL_BROKER_URLS.`,
    )
  }

  /** The cell that a reader asks for. @throws {ServiceProblem} parameter_invalid */
  asked(name: string = homeCell): Cell {
    const cell = this.#byName.get(name)
    if (cell !== undefined) return cell
    const names = this.all.map((each) => each.name).join(', ')
    throw problem('parameter_invalid', `"cell" is "${name}". There is no such cell here, only ${names}.`, 'cell')
  }
}
