import { parseLogLine } from '@clicktally/access-log/log-line.ts'
import type { Line } from '@clicktally/text-file/line.ts'
import { goatcounterRows } from '../peers/goatcounter.ts'
import { matomoReader } from '../peers/matomo.ts'
import { plausibleRows } from '../peers/plausible.ts'
import { umamiRows } from '../peers/umami.ts'
import { eventRows } from './csv-events.ts'
import { CsvReader } from './csv-records.ts'
import type { FormatChoices } from './format-choices.ts'
import type { RecordReader } from './import-record.ts'
import { logReader, ndjsonReader } from './line-records.ts'

export const importFormats = ['ndjson', 'csv', 'log', 'plausible', 'umami', 'goatcounter', 'matomo'] as const
export type ImportFormat = (typeof importFormats)[number]

/** Number of lines to inspect: the first lines of a log may be broken. */
const linesToJudge = 20

/** Headers of CSV files, and how a visit of Matomo begins. */
const beginnings: readonly (readonly [ImportFormat, RegExp])[] = [
  ['matomo', /^\{.*"actionDetails"/],
  ['ndjson', /^\{/],
  ['goatcounter', /^"?\d+Path"?,/],
  ['plausible', /^"?date"?,.*\b(visitors|pageviews|events)\b/],
  ['umami', /(^|,)"?event_type"?(,|$)/],
  ['csv', /(^|,)\s*"?target"?\s*(,|$)/],
]

/** Detects the format from the first lines, or else from the name. Undefined if neither is conclusive. */
export function detectFormat(name: string, lines: readonly Line[]): ImportFormat | undefined {
  const texts = lines.map(({ text }) => text.trim()).filter((text) => text !== '')
  const [first = ''] = texts
  if (!first.startsWith('{') && texts.slice(0, linesToJudge).some((text) => parseLogLine(text) !== undefined))
    return 'log'
  const [format] = beginnings.find(([, pattern]) => pattern.test(first)) ?? []
  if (format !== undefined) return format
  const [, extension] = /\.([a-z]+)(?:\.gz)?$/i.exec(name) ?? []
  return extension === undefined ? undefined : formatsByExtension[extension.toLowerCase()]
}

const formatsByExtension: Record<string, ImportFormat> = { ndjson: 'ndjson', jsonl: 'ndjson', csv: 'csv', log: 'log' }

/**
 * @param name of the file, for messages
 * @param isFile whether it is a file, which may grow, and not a pipe, which its writer has closed
 */
export async function readerOf(
  format: ImportFormat,
  name: string,
  choices: FormatChoices,
  isFile: boolean,
): Promise<RecordReader> {
  switch (format) {
    case 'ndjson':
      return ndjsonReader(choices.source)
    case 'log':
      return logReader(choices.source, await choices.visitorKey())
    case 'csv':
      return new CsvReader(name, eventRows(choices.source, isFile))
    case 'plausible':
      return new CsvReader(name, plausibleRows(choices))
    case 'umami':
      return new CsvReader(name, umamiRows(choices))
    case 'goatcounter':
      return new CsvReader(name, goatcounterRows(choices))
    case 'matomo':
      return matomoReader(choices)
  }
}
