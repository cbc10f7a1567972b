import { Compile } from 'typebox/compile'
import { Click } from './click.ts'

/** The AMQP `type` of a message that carries clicks as {@link encodeClick} writes them, one a line. */
export const clicksMessageType = 'clicks.v1'

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

/** One line of a message's body, without the line break. */
export function encodeClick(click: Click): string {
  return JSON.stringify(click)
}

/** Reads a message. Never throws: what can't be read is returned as such, with the reason. */
export function decodeMessage(type: string | undefined, content: Buffer): DecodedMessage {
  if (type !== clicksMessageType) {
    const detail = `The message's type is ${JSON.stringify(type ?? null)}, known is ${clicksMessageType}.`
    return { clicks: [], undecodable: [{ content, reason: 'unknown_version', detail }] }
  }
  const clicks: Click[] = []
  const undecodable: UndecodablePart[] = []
  for (const line of content.toString('utf8').split('\n')) {
    if (line === '') continue
    const click = parse(line)
    if (schema.Check(click)) {
      clicks.push(click)
    } else {
      const error = click === undefined ? undefined : schema.Errors(click)[0]
      const detail = error === undefined ? 'not JSON' : `${error.instancePath || 'the line'} ${error.message}`
      undecodable.push({ content: Buffer.from(line), reason: 'undecodable', detail })
    }
  }
  if (clicks.length + undecodable.length === 0) {
    undecodable.push({ content, reason: 'undecodable', detail: 'The message is empty.' })
  }
  return { clicks, undecodable }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
