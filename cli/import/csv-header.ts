import { printable } from '@clicktally/terminal/printable.ts'
import { CliError } from '../cli-error.ts'

const fields = ['target', 'occurredAt', 'id', 'visitorId', 'url', 'referrer', 'bot'] as const
const allowed = `${fields.join(', ')}, and props.NAME for data of your own`

/**
 * What the columns of a CSV file are, from its first record.
 * @throws {CliError} that says what is wrong with it
 */
export function readHeader(name: string, cells: readonly string[]): string[] {
  const columns = cells.map((cell) => cell.trim())
  const wrong = (problem: string) =>
    new CliError(`${name}: ${problem}\nThe first line must name the columns: ${allowed}.`)
  const unknown = columns.find((column) => !isColumn(column))
  if (unknown !== undefined) throw wrong(`there is no field "${printable(unknown.slice(0, 100))}".`)
  const twice = columns.find((column, index) => columns.indexOf(column) !== index)
  if (twice !== undefined) throw wrong(`the column "${printable(twice.slice(0, 100))}" is there twice.`)
  if (!columns.includes('target')) throw wrong('the column "target" is missing.')
  if (!columns.includes('occurredAt') && !columns.includes('id')) {
    throw wrong('one of the columns "occurredAt" and "id" must be there, to tell when a click took place.')
  }
  return columns
}

function isColumn(column: string): boolean {
  return (fields as readonly string[]).includes(column) || /^props\../.test(column)
}

/** The event of a record: what is empty is left out. */
export function eventOf(columns: readonly string[], cells: readonly string[]): Record<string, unknown> {
  const event: Record<string, unknown> = {}
  const props: [string, string][] = []
  for (const [index, column] of columns.entries()) {
    const cell = cells[index] ?? ''
    if (cell === '') continue
    if (column.startsWith('props.')) props.push([column.slice('props.'.length), cell])
    else event[column] = column === 'bot' ? readBoolean(cell) : cell
  }
  // From entries, since a prop may be called __proto__.
  return props.length > 0 ? { ...event, props: Object.fromEntries(props) } : event
}

/** Another word stays as it is, and the server refuses it. */
function readBoolean(cell: string): boolean | string {
  const word = cell.trim().toLowerCase()
  return word === 'true' || word === '1' ? true : word === 'false' || word === '0' ? false : cell
}
