import { logClick } from '@clicktally/access-log/log-click.ts'
import { parseLogLine } from '@clicktally/access-log/log-line.ts'
import { rejection } from '@clicktally/event/click-rejection.ts'
import { parseRfc3339 } from '@clicktally/event/rfc3339.ts'
import type { Line } from '@clicktally/text-file/line.ts'
import { importId, type Reading, type RecordReader, recordsOf, timeInside } from './import-record.ts'

/** Reads a file with one event per line, in the format of the API. */
export function ndjsonReader(source: string): RecordReader {
  return lineReader((line) => readEvent(line, source))
}

/** Reads an access log, in the common or the combined format. */
export function logReader(source: string, visitorKey: Buffer): RecordReader {
  return lineReader((line) => readLogLine(line, source, visitorKey))
}

/** Every line that is not blank is one click, or any number of them. */
export function lineReader(readLine: (line: Line) => Reading | Iterable<Reading>): RecordReader {
  return {
    *read(lines) {
      for (const line of lines) {
        const text = line.text.replace(/\r$/, '')
        if (text.trim() === '') continue
        const reading = readLine(line)
        const place = { line: line.number, text, end: { lines: line.number, bytes: line.endBytes } }
        yield* recordsOf(place, Symbol.iterator in reading ? reading : [reading])
      }
    },
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
  // Without a time no id can be made, and the server reports what is missing. Otherwise the id is inserted into the text, because
  // serialising the event again would change numbers that a double cannot hold.
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
  // The last line of a growing log may be incomplete, but it always has these three. The visitor id stands for the address, which
  // could be recovered from an id that was made from the address itself.
  const id = importId(timeMs, source, number, `${click.visitorId ?? ''}\n${target}`)
  const event = { ...(id !== undefined && { id }), occurredAt: new Date(timeMs).toISOString(), ...click }
  return { event: JSON.stringify(event), timeMs }
}
