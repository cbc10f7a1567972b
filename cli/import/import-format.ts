import { parseLogLine } from '@clicktally/access-log/log-line.ts'
import type { Line } from '@clicktally/text-file/line.ts'
import { CsvReader } from './csv-records.ts'
import type { RecordReader } from './import-record.ts'
import { logReader, ndjsonReader } from './line-records.ts'

export const importFormats = ['ndjson', 'csv', 'log'] as const
export type ImportFormat = (typeof importFormats)[number]

/** Number of lines to inspect: the first lines of a log may be broken. */
const linesToJudge = 20

/** Detects the format from the first lines, or else from the name. Undefined if neither is conclusive. */
export function detectFormat(name: string, lines: readonly Line[]): ImportFormat | undefined {
  const texts = lines.map(({ text }) => text.trim()).filter((text) => text !== '')
  if (texts[0]?.startsWith('{')) return 'ndjson'
  if (texts.slice(0, linesToJudge).some((text) => parseLogLine(text) !== undefined)) return 'log'
  if (/(^|,)\s*"?target"?\s*(,|$)/.test(texts[0] ?? '')) return 'csv'
  const [, extension] = /\.([a-z]+)(?:\.gz)?$/i.exec(name) ?? []
  return extension === undefined ? undefined : formatsByExtension[extension.toLowerCase()]
}

const formatsByExtension: Record<string, ImportFormat> = { ndjson: 'ndjson', jsonl: 'ndjson', csv: 'csv', log: 'log' }

/** @param visitorKey returns the key from which the visitor ids of a log are derived; only called for logs */
export async function readerOf(
  format: ImportFormat,
  name: string,
  source: string,
  visitorKey: () => Promise<Buffer>,
): Promise<RecordReader> {
  if (format === 'csv') return new CsvReader(name, source)
  return format === 'log' ? logReader(source, await visitorKey()) : ndjsonReader(source)
}
