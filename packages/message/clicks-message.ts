import { Buffer } from 'node:buffer'
import { type Click, clickSchema } from '@clicktally/event/click.ts'
import { clickLimits } from '@clicktally/event/click-event.ts'
import { type EventField, eventFields } from '@clicktally/event/event-fields.ts'
import Type from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { ClickLine } from './click-line.ts'
import { clicksMessageType, earlierClicksMessageType, isClicksMessageType } from './message-type.ts'
import { completeClick, isShortLine, type RequestFields, requestFieldsAt } from './short-line.ts'

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
  /** Its bytes; of a short line, the complete one that was made of it. */
  readonly content: Buffer
  readonly reason: UndecodableReason
  readonly detail: string
}

export interface DecodedMessage {
  readonly clicks: readonly Click[]
  /** Lines that are not clicks, or the whole message. The other lines are in `clicks`. */
  readonly undecodable: readonly UndecodablePart[]
}

/** One line of a message's body, without the line break, complete in itself. A hand-written encoder was not faster. */
export function encodeClick(click: Click): string {
  return JSON.stringify(click)
}

/**
 * Takes a line that could be scanned, from `from` to `to` in the content.
 *
 * @param requestFrom where the line begins that has the fields of its request: `from`, unless it is short
 */
export type LineTaker = (line: ClickLine, from: number, to: number, requestFrom: number) => void

/**
 * Reads a message. Never throws: what cannot be read is returned as such, with the reason.
 *
 * @param take given the lines that could be scanned; they are not among the clicks that are returned. The content must be well-formed
 *   UTF-8. Default: no line is scanned.
 */
export type MessageDecoder = (type: string | undefined, content: Buffer, take?: LineTaker) => DecodedMessage

/** @param fields those of `eventFields`, or more */
export function createMessageDecoder(fields: readonly EventField[]): MessageDecoder {
  const click = clickSchema(fields)
  const { projectId, receivedAtMs, requestId } = click.properties
  const schema = Compile(click)
  const requestSchema = Compile(Type.Object({ projectId, receivedAtMs, requestId }))
  const line = new ClickLine(fields)
  return (type, content, take) => {
    if (!isClicksMessageType(type)) {
      const detail = `The message's type is ${JSON.stringify(type ?? null)}, known are ${earlierClicksMessageType} and ${clicksMessageType}.`
      return { clicks: [], undecodable: [{ content, reason: 'unknown_version', detail }] }
    }
    const mayBeShort = type === clicksMessageType
    const clicks: Click[] = []
    const undecodable: UndecodablePart[] = []
    /** Where the line begins from which short lines take the fields of their request; -1 if there is none. */
    let requestFrom = -1
    let request: RequestFields | undefined
    let isEmpty = true
    for (let from = 0, to = 0; from < content.length; from = to + 1) {
      to = content.indexOf(0x0a, from)
      if (to === -1) to = content.length
      if (to === from) continue
      isEmpty = false
      if (take !== undefined && line.read(content, from, to) && (!line.isShort || (mayBeShort && requestFrom !== -1))) {
        if (!line.isShort) {
          requestFrom = from
          request = undefined
        }
        take(line, from, to, requestFrom)
        continue
      }
      // Kept as bytes: what is not UTF-8 must not change.
      const bytes = content.subarray(from, to)
      const parsed: unknown = bytes.length > maxLineBytes ? undefined : parse(bytes.toString('utf8'))
      const isShort = mayBeShort && requestFrom !== -1 && isShortLine(parsed)
      let value = parsed
      if (isShort) {
        request ??= requestFieldsAt(content, requestFrom)
        value = completeClick(parsed, request)
      } else if (requestSchema.Check(parsed)) {
        requestFrom = from
        request = parsed
        // A short line that is scanned takes these over.
        line.projectId = parsed.projectId
        line.receivedAtMs = parsed.receivedAtMs
      } else {
        // This may have been the first line of another request.
        requestFrom = -1
      }
      if (schema.Check(value)) clicks.push(value)
      else {
        const part = isShort ? Buffer.from(JSON.stringify(value)) : bytes
        undecodable.push({ content: part, reason: 'undecodable', detail: faultOf(schema, bytes, value) })
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
