import { Compile } from 'typebox/compile'
import { Click } from './click.ts'
import { clickLimits } from './click-event.ts'
import { clicksMessageType } from './message-type.ts'

export { clicksMessageType }

/** At most this many clicks in one message. */
export const maxClicksPerMessage = 500

/**
 * Bytes of one line, at most: an event and, above it, what ingest adds: the stamp, at most 300 bytes, and numbers that it writes in
 * full (1e20), at most 17 bytes more for each of 30 props. What is longer is not parsed.
 */
const maxLineBytes = clickLimits.eventBytes + 2_048

/** Why a message, or one line of it, can never be counted. */
export type UndecodableReason = 'unknown_version' | 'undecodable'

export interface UndecodablePart {
  readonly content: Buffer
  readonly reason: UndecodableReason
  readonly detail: string
}

export interface DecodedMessage {
  readonly clicks: readonly Click[]
  /** Lines, or the whole message, that are no clicks. Their neighbours are in `clicks` all the same. */
  readonly undecodable: readonly UndecodablePart[]
}

const schema = Compile(Click)

/** One line of a message's body, without the line break. Written by hand it took as long (tried). */
export function encodeClick(click: Click): string {
  return JSON.stringify(click)
}

/**
 * Reads a message. Never throws: what can't be read is returned as such, with the reason.
 *
 * @param isTaken asked first about each line, from where it begins to where it ends in the content; what its caller takes to
 *   be a click is not among those that are returned
 */
export function decodeMessage(
  type: string | undefined,
  content: Buffer,
  isTaken?: (from: number, to: number) => boolean,
): DecodedMessage {
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
    if (isTaken?.(from, to)) continue
    // As bytes: what is no UTF-8 is to stay as it was.
    const line = content.subarray(from, to)
    const click = line.length > maxLineBytes ? undefined : parse(line.toString('utf8'))
    if (schema.Check(click)) {
      clicks.push(click)
    } else {
      undecodable.push({ content: line, reason: 'undecodable', detail: faultOf(line, click) })
    }
  }
  if (isEmpty) undecodable.push({ content, reason: 'undecodable', detail: 'The message is empty.' })
  return { clicks, undecodable }
}

/** Why the line is no click. @param value that it is as JSON; undefined where it was not parsed, or could not be */
function faultOf(line: Buffer, value: unknown): string {
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
