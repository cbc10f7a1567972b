import { Compile } from 'typebox/compile'
import { Click } from './click.ts'
import { clicksMessageType } from './message-type.ts'

export { clicksMessageType }

/** At most this many clicks in one message. */
export const maxClicksPerMessage = 500

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
    const click = parse(line.toString('utf8'))
    if (schema.Check(click)) {
      clicks.push(click)
    } else {
      const error = click === undefined ? undefined : schema.Errors(click)[0]
      const detail = error === undefined ? 'not JSON' : `${error.instancePath || 'the line'} ${error.message}`
      undecodable.push({ content: line, reason: 'undecodable', detail })
    }
  }
  if (isEmpty) undecodable.push({ content, reason: 'undecodable', detail: 'The message is empty.' })
  return { clicks, undecodable }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
