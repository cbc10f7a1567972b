import { batchLimits } from '@clicktally/event/click-event.ts'
import type { ClickBatch } from '@clicktally/requests/click-batches.ts'
import type { Line, LinePosition } from '@clicktally/text-file/line.ts'
import { usageError } from '../cli-error.ts'
import { CsvReader } from './formats/csv-records.ts'
import type { FormatChoices } from './formats/format-choices.ts'
import { detectFormat, type ImportFormat, importFormats, readerOf } from './formats/import-format.ts'
import type { ImportRecord, RecordReader } from './formats/import-record.ts'
import type { ImportInput, OpenInput } from './import-input.ts'

/** Consecutive records of one input, including those that cannot be sent. */
export interface ImportBatch extends ClickBatch {
  /** Index of the input. */
  readonly input: number
  readonly records: readonly ImportRecord[]
  /** How far the input has been read, in bytes on disk. */
  readonly bytesRead: number
  /** Where the next batch begins. */
  readonly end: LinePosition
  /** Whether it is the last batch of the input, which may be empty. */
  readonly isLast: boolean
}

export interface ImportPlan {
  readonly inputs: readonly ImportInput[]
  /** Undefined: detected for each input. */
  readonly format: ImportFormat | undefined
  readonly choices: FormatChoices
  /** Called for each input before its first batch. */
  readonly onFormat: (format: ImportFormat) => void
  /** Where to begin in each input; `done` skips it. */
  readonly starts: readonly (LinePosition | 'done')[]
  readonly signal: AbortSignal
}

/** Most bytes of text in a batch, not counting its last record. */
const maxTextBytes = 2 * batchLimits.bodyBytes

/**
 * The batches of all inputs, one input after the other.
 *
 * @throws {CliError} if the format of an input is unknown or wrong
 * @throws {TextFileError} if an input cannot be read
 */
export async function* importBatches(plan: ImportPlan): AsyncGenerator<ImportBatch> {
  for (const [index, input] of plan.inputs.entries()) {
    const start = plan.starts[index] ?? 'done'
    if (start === 'done') continue
    const open = await input.open()
    // Otherwise an idle pipe would keep the reader waiting.
    const close = () => void open.close()
    if (input.file === undefined) plan.signal.addEventListener('abort', close)
    try {
      const gathering = new Gathering(index, start)
      for await (const records of readRecords(plan, input, open, start)) {
        for (const record of records) {
          const full = gathering.add(record, open.bytesRead)
          if (full !== undefined) yield full
        }
      }
      yield gathering.take(open.bytesRead, true)
    } finally {
      plan.signal.removeEventListener('abort', close)
      await open.close()
    }
  }
}

async function* readRecords(
  { format: chosen, choices, onFormat }: ImportPlan,
  { name, file }: ImportInput,
  open: OpenInput,
  start: LinePosition,
): AsyncGenerator<Iterable<ImportRecord>> {
  const isAtStart = start.bytes === 0
  let lines = open.lines()
  try {
    const first = await lines.next()
    if (first.done) return
    const format = chosen ?? detected(name, first.value)
    onFormat(format)
    const reader = await readerOf(format, name, choices, file !== undefined)
    if (isAtStart) yield reader.read(first.value)
    else {
      await readHeader(reader, first.value, lines)
      await lines.return(undefined)
      lines = open.lines(start)
    }
    for await (const block of lines) yield reader.read(block)
    yield reader.end()
  } finally {
    await lines.return(undefined)
  }
}

function detected(name: string, lines: readonly Line[]): ImportFormat {
  const format = detectFormat(name, lines)
  if (format === undefined) {
    throw usageError(`${name}: its format cannot be detected. Choose one with --format ${importFormats.join('|')}`)
  }
  return format
}

/** CSV needs the first record, wherever reading begins. */
async function readHeader(reader: RecordReader, first: readonly Line[], rest: AsyncIterator<Line[]>): Promise<void> {
  if (!(reader instanceof CsvReader)) return
  let block = first
  for (;;) {
    for (const line of block) {
      reader.read([line])
      if (reader.hasHeader) return
    }
    const next = await rest.next()
    if (next.done) return
    block = next.value
  }
}

/** Gathers records into batches within the limits of ingest. */
class Gathering {
  readonly #input: number
  #records: ImportRecord[] = []
  #events: string[] = []
  #bodyBytes = 0
  #textBytes = 0
  #end: LinePosition

  constructor(input: number, start: LinePosition) {
    this.#input = input
    this.#end = start
  }

  /** Adds a record. If it does not fit into the current batch, returns that batch. */
  add(record: ImportRecord, bytesRead: number): ImportBatch | undefined {
    const eventBytes = typeof record.event === 'string' ? Buffer.byteLength(record.event) + 1 : 0
    const isFull =
      this.#records.length === batchLimits.events ||
      this.#bodyBytes + eventBytes > batchLimits.bodyBytes ||
      this.#textBytes > maxTextBytes
    const full = isFull ? this.take(bytesRead, false) : undefined
    this.#records.push(record)
    if (typeof record.event === 'string') this.#events.push(record.event)
    this.#bodyBytes += eventBytes
    this.#textBytes += record.text.length
    return full
  }

  take(bytesRead: number, isLast: boolean): ImportBatch {
    const records = this.#records
    this.#end = records.findLast(({ isPartial }) => isPartial !== true)?.end ?? this.#end
    const body = this.#events.map((event) => `${event}\n`).join('')
    const batch = { input: this.#input, records, count: this.#events.length, body, bytesRead, end: this.#end, isLast }
    this.#records = []
    this.#events = []
    this.#bodyBytes = 0
    this.#textBytes = 0
    return batch
  }
}
