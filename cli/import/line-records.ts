import { logClick } from '@clicktally/access-log/log-click.ts'
import { parseLogLine } from '@clicktally/access-log/log-line.ts'
import { rejection } from '@clicktally/contract/click-rejection.ts'
import { parseRfc3339 } from '@clicktally/contract/rfc3339.ts'
import type { Line } from '@clicktally/text-file/line.ts'
import { type ImportRecord, importId, type RecordReader, timeInside } from './import-record.ts'

type Reading = Pick<ImportRecord, 'event' | 'timeMs'>

/** Reads a file that has an event a line, as the API takes it. */
export function ndjsonReader(source: string): RecordReader {
  return lineReader((line) => readEvent(line, source))
}

/** Reads an access log, in the common or the combined format. */
export function logReader(source: string, visitorKey: Buffer): RecordReader {
  return lineReader((line) => readLogLine(line, source, visitorKey))
}

/** Every line that is not blank is a record. */
function lineReader(readLine: (line: Line) => Reading): RecordReader {
  return {
    read: (lines) =>
      lines
        .filter(({ text }) => text.trim() !== '')
        .map((line) => ({
          line: line.number,
          text: line.text.replace(/\r$/, ''),
          end: { lines: line.number, bytes: line.endBytes },
          ...readLine(line),
        })),
    end: () => [],
  }
}

function readEvent({ text, number, isCut }: Line, source: string): Reading {
  if (isCut) return { event: rejection('event_too_large') }
  const json = text.trim()
  let event: unknown
  try {
    event = JSON.parse(json)
  } catch {
    return { event: rejection('not_json') }
  }
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return { event: rejection('not_an_object') }
  const occurredAt = 'occurredAt' in event && typeof event.occurredAt === 'string' ? event.occurredAt : ''
  const occurredAtMs = parseRfc3339(occurredAt)
  if (Object.hasOwn(event, 'id'))
    return { event: json, timeMs: occurredAtMs ?? timeInside((event as { id: unknown }).id) }
  const id = occurredAtMs === undefined ? undefined : importId(occurredAtMs, source, number, json)
  // Without a time there is no id to make, and the server says what is missing. Otherwise the id is put into the text:
  // to write the event anew would change numbers that a double can't hold.
  return { event: id === undefined ? json : `{"id":"${id}",${json.slice(1)}`, timeMs: occurredAtMs }
}

function readLogLine({ text, number }: Line, source: string, visitorKey: Buffer): Reading {
  const read = parseLogLine(text)
  if (read === undefined) {
    return {
      event: { code: 'not_a_log_line', detail: 'The line is in neither the common nor the combined log format.' },
    }
  }
  const { timeMs, target } = read
  const click = logClick(read, visitorKey)
  // A line of a log that is being written may end early. Whatever else is missing then, these three are there. The visitor
  // stands for the address: of an id made from the address itself, everybody could find out which it was.
  const id = importId(timeMs, source, number, `${click.visitorId ?? ''}\n${target}`)
  const event = { ...(id !== undefined && { id }), occurredAt: new Date(timeMs).toISOString(), ...click }
  return { event: JSON.stringify(event), timeMs }
}
