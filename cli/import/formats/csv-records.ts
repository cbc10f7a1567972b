import { rejection } from '@clicktally/event/click-rejection.ts'
import type { Line } from '@clicktally/text-file/line.ts'
import { parse } from 'csv-parse/sync'
import { type ImportRecord, type Reading, type RecordReader, recordsOf } from './import-record.ts'

/** A record with as many cells as there are columns. */
export interface Row {
  readonly cells: readonly string[]
  /** Number of its first line, from 1. */
  readonly line: number
  /** The original text. */
  readonly text: string
  /** It is the last one, and no line break follows: it may be the beginning of a longer one. */
  readonly lacksBreak: boolean
}

/** What a record means: one click, or any number of them. */
export type RowReader = (row: Row) => Reading | Iterable<Reading>

/**
 * What the records mean that are below this header, in the file with this name.
 *
 * @throws {CliError} if it does not name the columns of the format
 */
export type HeaderReader = (name: string, header: readonly string[]) => RowReader

/** Enough for one event. A quote that is never closed extends the record to this size. */
const maxRecordBytes = 65_536

interface RawRecord {
  readonly line: number
  readonly text: string
  readonly end: ImportRecord['end']
  readonly isCut: boolean
  readonly lacksBreak: boolean
}

/**
 * Reads CSV (RFC 4180), whose first record names the columns.
 *
 * It splits the text into records, which csv-parse then parses: so each record has its line number and position in the file, and a
 * broken record does not affect others.
 */
export class CsvReader implements RecordReader {
  readonly #name: string
  readonly #readHeader: HeaderReader
  #columns = 0
  #readRow: RowReader | undefined
  /** Lines of an incomplete record with an open quote. */
  #open: Line[] = []
  #openBytes = 0

  constructor(name: string, readHeader: HeaderReader) {
    this.#name = name
    this.#readHeader = readHeader
  }

  get hasHeader(): boolean {
    return this.#readRow !== undefined
  }

  /** @throws {CliError} if the first record does not name the columns */
  read(lines: readonly Line[]): Iterable<ImportRecord> {
    return this.#make(lines.flatMap((line) => this.#take(line)))
  }

  end(): Iterable<ImportRecord> {
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
      // The first half of CRLF is a line break too.
      lacksBreak: last.lacksBreak === true && !last.text.endsWith('\r'),
    }
  }

  #make(records: readonly RawRecord[]): Iterable<ImportRecord> {
    const [first, ...others] = records
    if (first === undefined) return []
    if (this.#readRow !== undefined) return this.#recordsOf(records, this.#readRow)
    const header = (cellsOf([first])[0] ?? []).map((cell) => cell.trim())
    this.#readRow = this.#readHeader(this.#name, header)
    this.#columns = header.length
    return this.#recordsOf(others, this.#readRow)
  }

  *#recordsOf(records: readonly RawRecord[], readRow: RowReader): Generator<ImportRecord> {
    for (const [index, cells] of cellsOf(records).entries()) {
      const { line, text, end, isCut, lacksBreak } = records[index] as RawRecord
      const reading = isCut
        ? { event: rejection('event_too_large') }
        : this.#reading({ line, text, lacksBreak }, cells, readRow)
      yield* recordsOf({ line, text, end }, Symbol.iterator in reading ? reading : [reading])
    }
  }

  #reading(place: Omit<Row, 'cells'>, cells: string[] | undefined, readRow: RowReader): Reading | Iterable<Reading> {
    if (cells === undefined) {
      const detail = 'The line is not valid CSV: its quotes do not match (write a quote inside quotes twice).'
      return { event: { code: 'not_csv', detail } }
    }
    if (cells.length !== this.#columns) {
      const detail = `The line has ${cells.length} columns, the first line names ${this.#columns}.`
      return { event: { code: 'columns_differ', detail } }
    }
    return readRow({ ...place, cells })
  }
}

/** The cells of each record; undefined for a broken one. */
function cellsOf(records: readonly RawRecord[]): (string[] | undefined)[] {
  if (records.length === 0) return []
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
