import { type Click, clickSchema } from '@clicktally/event/click.ts'
import { clickLimits } from '@clicktally/event/click-event.ts'
import { type EventField, eventFields } from '@clicktally/event/event-fields.ts'
import { Compile, type Validator } from 'typebox/compile'
import { clicksMessageType } from './message-type.ts'

export { clicksMessageType }

/** Most clicks in one message. */
export const maxClicksPerMessage = 500

/**
 * Most bytes of one line: an event and what ingest adds, which is the stamp and a derived visitor, at most 350 bytes, and numbers
 * that it writes in full (1e20), at most 17 bytes more for each of 30 props. Longer lines are not parsed.
 */
const maxLineBytes = clickLimits.eventBytes + 2_048

/** Why a message or one of its lines can never be counted. */
export type UndecodableReason = 'unknown_version' | 'undecodable'

export interface UndecodablePart {
  readonly content: Buffer
  readonly reason: UndecodableReason
  readonly detail: string
}

export interface DecodedMessage {
  readonly clicks: readonly Click[]
  /** Lines that are not clicks, or the whole message. The other lines are in `clicks`. */
  readonly undecodable: readonly UndecodablePart[]
}

/** One line of a message's body, without the line break. A hand-written encoder was not faster. */
export function encodeClick(click: Click): string {
  return JSON.stringify(click)
}

/**
 * Reads a message. Never throws: what cannot be read is returned as such, with the reason.
 *
 * @param isRead asked first about each line, with its beginning and its end in the content. Lines that the caller has read itself
 *   are not among the clicks that are returned.
 */
export type MessageDecoder = (
  type: string | undefined,
  content: Buffer,
  isRead?: (from: number, to: number) => boolean,
) => DecodedMessage

/** @param fields those of `eventFields`, or more */
export function createMessageDecoder(fields: readonly EventField[]): MessageDecoder {
  const schema = Compile(clickSchema(fields))
  return (type, content, isRead) => {
    if (type !== clicksMessageType) {
      const detail = `The message's type is ${JSON.stringify(type ?? null)}, known is ${clicksMessageType}.`
      return { clicks: [], undecodable: [{ content, reason: 'unknown_version', detail }] }
    }
    const clicks: Click[] = []
    const undecodable: UndecodablePart[] = []
    let isEmpty = true
    for (let from = 0, to = 0; from < content.length; from = to + 1) {
      to = content.indexOf(0x0a, from)
      if (to === -1) to = content.length
      if (to === from) continue
      isEmpty = false
      if (isRead?.(from, to)) continue
      // Kept as bytes: what is not UTF-8 must not change.
      const line = content.subarray(from, to)
      const click = line.length > maxLineBytes ? undefined : parse(line.toString('utf8'))
      if (schema.Check(click)) {
        clicks.push(click)
      } else {
        undecodable.push({ content: line, reason: 'undecodable', detail: faultOf(schema, line, click) })
      }
    }
    if (isEmpty) undecodable.push({ content, reason: 'undecodable', detail: 'The message is empty.' })
    return { clicks, undecodable }
  }
}

export const decodeMessage = createMessageDecoder(eventFields)

/** Why the line is not a click. @param value the parsed line; undefined where it was not or could not be parsed */
function faultOf(schema: Validator, line: Buffer, value: unknown): string {
  if (line.length > maxLineBytes) return `the line has ${line.length} bytes, more than ${maxLineBytes}`
  if (value === undefined) return 'not JSON'
  const [error] = schema.Errors(value)
  // The path has names that the sender chose.
  return error === undefined ? 'not a click' : `${error.instancePath.slice(0, 200) || 'the line'} ${error.message}`
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
