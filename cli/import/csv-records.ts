import { rejection } from '@clicktally/event/click-rejection.ts'
import { parseRfc3339 } from '@clicktally/event/rfc3339.ts'
import type { Line } from '@clicktally/text-file/line.ts'
import { parse } from 'csv-parse/sync'
import { eventOf, readHeader } from './csv-header.ts'
import { type ImportRecord, importId, type RecordReader, timeInside } from './import-record.ts'

/** Enough for one event. A quote that is never closed extends the record to this size. */
const maxRecordBytes = 65_536

interface RawRecord {
  readonly line: number
  readonly text: string
  readonly end: ImportRecord['end']
  readonly isCut: boolean
}

/**
 * Reads CSV (RFC 4180), whose first record names the columns.
 *
 * It splits the text into records, which csv-parse then parses: so each record has its line number and position in the file, and a
 * broken record does not affect others.
 */
export class CsvReader implements RecordReader {
  readonly #name: string
  readonly #source: string
  #columns: readonly string[] | undefined
  /** Lines of an incomplete record with an open quote. */
  #open: Line[] = []
  #openBytes = 0

  constructor(name: string, source: string) {
    this.#name = name
    this.#source = source
  }

  get hasHeader(): boolean {
    return this.#columns !== undefined
  }

  /** @throws {CliError} if the first record does not name the columns */
  read(lines: readonly Line[]): ImportRecord[] {
    return this.#make(lines.flatMap((line) => this.#take(line)))
  }

  end(): ImportRecord[] {
    const left: RawRecord[] = []
    while (this.#open.length > 0) left.push(...this.#giveUpQuote())
    return this.#make(left)
  }

  /** The records that are complete with this line. */
  #take(line: Line): RawRecord[] {
    if (this.#open.length === 0 && line.text.trim() === '') return []
    this.#open.push(line)
    this.#openBytes += line.text.length
    if (line.isCut || this.#openBytes > maxRecordBytes) return this.#giveUpQuote()
    if (isQuoteOpen(line.text, this.#open.length > 1)) return []
    return [this.#closeRecord()]
  }

  /** The quote in the first line is never closed: that line becomes a record, and the others are read again. */
  #giveUpQuote(): RawRecord[] {
    const [first, ...others] = this.#open
    if (first === undefined) return []
    this.#open = [first]
    const records = [this.#closeRecord()]
    return [...records, ...others.flatMap((line) => this.#take(line))]
  }

  #closeRecord(): RawRecord {
    const taken = this.#open
    this.#open = []
    this.#openBytes = 0
    const [first, last] = [taken[0], taken.at(-1)]
    if (first === undefined || last === undefined) throw new Error('a record has at least one line')
    return {
      line: first.number,
      text: taken
        .map(({ text }) => text)
        .join('\n')
        .replace(/\r$/, ''),
      end: { lines: last.number, bytes: last.endBytes },
      isCut: taken.some(({ isCut }) => isCut),
    }
  }

  #make(records: readonly RawRecord[]): ImportRecord[] {
    if (records.length === 0) return []
    if (this.#columns === undefined) {
      const [header, ...others] = records
      if (header === undefined) return []
      this.#columns = readHeader(this.#name, cellsOf([header])[0] ?? [])
      return this.#make(others)
    }
    const columns = this.#columns
    return cellsOf(records).map((cells, index) => this.#record(records[index] as RawRecord, columns, cells))
  }

  #record(raw: RawRecord, columns: readonly string[], cells: readonly string[] | undefined): ImportRecord {
    const { line, text, end, isCut } = raw
    const place = { line, text, end }
    if (isCut) return { ...place, event: rejection('event_too_large') }
    if (cells === undefined) {
      const detail = 'The line is not valid CSV: its quotes do not match (write a quote inside quotes twice).'
      return { ...place, event: { code: 'not_csv', detail } }
    }
    if (cells.length !== columns.length) {
      const detail = `The line has ${cells.length} columns, the first line names ${columns.length}.`
      return { ...place, event: { code: 'columns_differ', detail } }
    }
    const event = eventOf(columns, cells)
    const occurredAtMs = typeof event.occurredAt === 'string' ? parseRfc3339(event.occurredAt) : undefined
    if (event.id !== undefined) {
      return { ...place, event: JSON.stringify(event), timeMs: occurredAtMs ?? timeInside(event.id) }
    }
    const id = occurredAtMs === undefined ? undefined : importId(occurredAtMs, this.#source, line, text)
    return { ...place, event: JSON.stringify({ ...(id !== undefined && { id }), ...event }), timeMs: occurredAtMs }
  }
}

/** The cells of each record; undefined for a broken one. */
function cellsOf(records: readonly RawRecord[]): (string[] | undefined)[] {
  try {
    const rows = parse(records.map(({ text }) => text).join('\n'), {
      record_delimiter: '\n',
      relax_column_count: true,
    }) as string[][]
    if (rows.length === records.length) return rows
  } catch {
    // One of them is broken. Halving finds it, because parsing records one by one is many times slower.
  }
  if (records.length <= 1) return [undefined]
  const middle = records.length >> 1
  return [...cellsOf(records.slice(0, middle)), ...cellsOf(records.slice(middle))]
}

/** Whether a quote is open at the end of a line, by RFC 4180: a quote only opens at the beginning of a field. */
export function isQuoteOpen(line: string, wasOpen: boolean): boolean {
  let open = wasOpen
  let at = line.indexOf('"')
  while (at !== -1) {
    if (!open) open = at === 0 || line[at - 1] === ','
    else if (line[at + 1] === '"') at += 1
    else open = false
    at = line.indexOf('"', at + 1)
  }
  return open
}
