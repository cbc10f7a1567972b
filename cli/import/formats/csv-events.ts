import { type EventField, eventFields, sentFields } from '@clicktally/event/event-fields.ts'
import { parseRfc3339 } from '@clicktally/event/rfc3339.ts'
import { isUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { printable } from '@clicktally/terminal/printable.ts'
import { CliError } from '../../cli-error.ts'
import type { HeaderReader } from './csv-records.ts'
import { importId, type RecordRefusal, timeInside } from './import-record.ts'

/** Columns by the name of their field. `props` has a column for each prop. */
const fields = new Map(
  sentFields(eventFields).flatMap((field): [string, EventField][] =>
    field.type === 'jsonb' ? [] : [[field.name, field]],
  ),
)

/** The columns that a CSV file may have, for people. */
export const csvColumns = `${[...fields.keys()].join(', ')} and props.NAME`

/** A cut cell looks like a short one, and would be another click, which stays when the line is complete. */
const lineIncomplete: RecordRefusal = {
  code: 'line_incomplete',
  detail:
    'No line break follows, so the line may be cut off. If it is whole, add a line break to the file, or import it as standard input.',
}

/**
 * CSV whose columns are the fields of events.
 *
 * @param mayGrow whether somebody may be writing the last line
 */
export function eventRows(source: string, mayGrow = false): HeaderReader {
  return (name, header) => {
    const columns = readHeader(name, header)
    return ({ cells, line, text, lacksBreak }) => {
      if (mayGrow && lacksBreak && !isWhole(columns.at(-1), cells.at(-1))) return { event: lineIncomplete }
      const event = eventOf(columns, cells)
      const occurredAtMs = typeof event.occurredAt === 'string' ? parseRfc3339(event.occurredAt) : undefined
      if (event.id !== undefined) return { event: JSON.stringify(event), timeMs: occurredAtMs ?? timeInside(event.id) }
      const id = occurredAtMs === undefined ? undefined : importId(occurredAtMs, source, line, text)
      return { event: JSON.stringify({ ...(id !== undefined && { id }), ...event }), timeMs: occurredAtMs }
    }
  }
}

/**
 * The columns that the first record of a CSV file names.
 *
 * @throws {CliError} if it names a wrong column or lacks one
 */
function readHeader(name: string, columns: readonly string[]): readonly string[] {
  const wrong = (problem: string) =>
    new CliError(`${name}: ${problem}\nThe first line must name the columns. Allowed: ${csvColumns} (your own data).`)
  const unknown = columns.find((column) => !isColumn(column))
  if (unknown !== undefined) throw wrong(`there is no field "${printable(unknown.slice(0, 100))}".`)
  const twice = columns.find((column, index) => columns.indexOf(column) !== index)
  if (twice !== undefined) throw wrong(`the column "${printable(twice.slice(0, 100))}" occurs twice.`)
  if (!columns.includes('target')) throw wrong('the column "target" is missing.')
  if (!columns.includes('occurredAt') && !columns.includes('id')) {
    throw wrong('it needs a column "occurredAt" or "id", for the time of each click.')
  }
  return columns
}

/** Whether the last cell of a line has an end of its own: no beginning of a time or an id is one itself. */
function isWhole(column = '', cell = ''): boolean {
  if (column === 'occurredAt') return parseRfc3339(cell) !== undefined
  return column === 'id' && isUuidV7(cell.toLowerCase())
}

function isColumn(column: string): boolean {
  return fields.has(column) || /^props\../.test(column)
}

/** The event of a record. Empty cells are left out. */
function eventOf(columns: readonly string[], cells: readonly string[]): Record<string, unknown> {
  const event: Record<string, unknown> = {}
  const props: [string, string][] = []
  for (const [index, column] of columns.entries()) {
    const cell = cells[index] ?? ''
    if (cell === '') continue
    if (column.startsWith('props.')) props.push([column.slice('props.'.length), cell])
    else event[column] = fields.get(column)?.type === 'boolean' ? readBoolean(cell) : cell
  }
  // From entries, since a prop may be called __proto__.
  return props.length > 0 ? { ...event, props: Object.fromEntries(props) } : event
}

/** Any other word is kept, for the server to reject. */
function readBoolean(cell: string): boolean | string {
  const word = cell.trim().toLowerCase()
  return word === 'true' || word === '1' ? true : word === 'false' || word === '0' ? false : cell
}
