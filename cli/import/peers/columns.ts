import { CliError } from '../../cli-error.ts'

/** Reads a cell of a row by the name of its column: empty if there is no such column. */
export type CellReader = (cells: readonly string[], column: string) => string

/** @throws {CliError} if a column is missing */
export function columnsOf(
  name: string,
  header: readonly string[],
  required: readonly string[],
  what: string,
): CellReader {
  const missing = required.filter((column) => !header.includes(column))
  if (missing.length > 0) {
    throw new CliError(`${name} is not ${what}: it has no column ${missing.map((column) => `"${column}"`).join(', ')}.`)
  }
  const places = new Map(header.map((column, index) => [column, index]))
  return (cells, column) => cells[places.get(column) ?? -1] ?? ''
}
