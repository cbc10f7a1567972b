import { Buffer } from 'node:buffer'

/** The AMQP `type` of a message with clicks that were just counted. */
export const liveMessageType = 'live.v2'

/** A counted click as the viewers of its project see it. It has no visitor. */
export interface LiveClick {
  readonly id: string
  readonly projectId: number
  readonly target: string
  /** Milliseconds since 1970. */
  readonly occurredAtMs: number
  readonly bot: boolean
}

export interface LiveMessage {
  /** When the processor sent it, milliseconds since 1970. */
  readonly sentAtMs: number
  /** Whether clicks that were counted before may be in no message. */
  readonly hasGap: boolean
  readonly clicks: readonly LiveClick[]
}

/*
 * The format, all numbers big-endian:
 *   sentAtMs float64, hasGap uint8, then for each click:
 *   id 16 bytes, projectId int32, occurredAtMs float64, bot uint8, bytes of the target uint16, target as UTF-8
 *
 * Binary, because every counted click is encoded, whether or not somebody watches. As JSON it took 1.8 µs of a processor, a quarter of
 * all that a click took there.
 */
const headBytes = 9
const idBytes = 16
const fixedBytes = 31

const maxClicks = 500
/** The broker refuses messages above 128 KiB. */
const maxBytes = 100_000

/**
 * Encodes clicks as the bodies of as few messages as their size allows; one without clicks if there are none.
 *
 * @param copyId writes the 16 bytes of a click's id into a buffer
 * @param hasGap of the first message
 */
export function* encodeLiveMessages<Source extends Omit<LiveClick, 'id'>>(
  clicks: Iterable<Source>,
  copyId: (click: Source, into: Buffer, at: number) => void,
  sentAtMs: number,
  hasGap: boolean,
): Generator<{ readonly body: Buffer; readonly clicks: number }> {
  const bytes = Buffer.allocUnsafe(maxBytes)
  let at = 0
  let count = 0
  let isFirst = true
  const begin = () => {
    bytes.writeDoubleBE(sentAtMs, 0)
    bytes[8] = isFirst && hasGap ? 1 : 0
    at = headBytes
    count = 0
    isFirst = false
  }
  const finish = () => ({ body: Buffer.from(bytes.subarray(0, at)), clicks: count })
  begin()
  for (const click of clicks) {
    const { projectId, target, occurredAtMs, bot } = click
    // A character takes at most three bytes.
    if (count === maxClicks || at + fixedBytes + 3 * target.length > maxBytes) {
      yield finish()
      begin()
    }
    copyId(click, bytes, at)
    bytes.writeInt32BE(projectId, at + 16)
    bytes.writeDoubleBE(occurredAtMs, at + 20)
    bytes[at + 28] = bot ? 1 : 0
    const targetBytes = bytes.write(target, at + fixedBytes, 'utf8')
    bytes.writeUInt16BE(targetBytes, at + 29)
    at += fixedBytes + targetBytes
    count += 1
  }
  yield finish()
}

/** @throws if it is no such message */
export function decodeLiveMessage(type: string | undefined, content: Buffer): LiveMessage {
  if (type !== liveMessageType) throw new Error(`the message has the type ${type}, known is ${liveMessageType}`)
  const clicks: LiveClick[] = []
  let at = headBytes
  while (at + fixedBytes <= content.length) {
    const targetAt = at + fixedBytes
    const end = targetAt + content.readUInt16BE(at + 29)
    clicks.push({
      id: uuidText(content, at),
      projectId: content.readInt32BE(at + 16),
      target: content.toString('utf8', targetAt, end),
      occurredAtMs: content.readDoubleBE(at + 20),
      bot: content[at + 28] === 1,
    })
    at = end
  }
  if (at !== content.length) throw new Error(`the message of ${content.length} bytes is cut off or malformed`)
  return { sentAtMs: content.readDoubleBE(0), hasGap: content[8] === 1, clicks }
}

function uuidText(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + idBytes)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
