import Type from 'typebox'
import { Compile } from 'typebox/compile'

/** The AMQP `type` of a message with clicks that were just counted. */
export const liveMessageType = 'live.v1'

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

const maxClicks = 500
/** A character takes at most three bytes of UTF-8, and the broker refuses messages above 128 KiB. */
const maxChars = 40_000

const schema = Compile(
  Type.Object({
    sentAtMs: Type.Integer(),
    hasGap: Type.Boolean(),
    clicks: Type.Array(
      Type.Tuple([
        Type.String(),
        Type.Integer(),
        Type.String(),
        Type.Number(),
        Type.Union([Type.Literal(0), Type.Literal(1)]),
      ]),
    ),
  }),
)

/**
 * Encodes clicks as the bodies of as few messages as their size allows; one without clicks if there are none.
 *
 * @param hasGap of the first message
 */
export function* encodeLiveMessages(
  clicks: Iterable<LiveClick>,
  sentAtMs: number,
  hasGap: boolean,
): Generator<{ readonly body: string; readonly clicks: number }> {
  let isFirst = true
  let lines = ''
  let count = 0
  const finish = () => {
    const message = {
      body: `{"sentAtMs":${sentAtMs},"hasGap":${isFirst && hasGap},"clicks":[${lines}]}`,
      clicks: count,
    }
    isFirst = false
    lines = ''
    count = 0
    return message
  }
  for (const { id, projectId, target, occurredAtMs, bot } of clicks) {
    const line = `["${id}",${projectId},${JSON.stringify(target)},${occurredAtMs},${bot ? 1 : 0}]`
    if (count === maxClicks || lines.length + line.length > maxChars) yield finish()
    lines = count === 0 ? line : `${lines},${line}`
    count += 1
  }
  if (isFirst || count > 0) yield finish()
}

/** @throws if it is no such message */
export function decodeLiveMessage(type: string | undefined, content: Buffer): LiveMessage {
  if (type !== liveMessageType) throw new Error(`the message has the type ${type}, known is ${liveMessageType}`)
  const message = JSON.parse(content.toString('utf8')) as unknown
  if (!schema.Check(message)) throw new Error('the message is malformed')
  const { sentAtMs, hasGap, clicks } = message
  return {
    sentAtMs,
    hasGap,
    clicks: clicks.map(([id, projectId, target, occurredAtMs, bot]) => ({
      ...{ id, projectId, target, occurredAtMs },
      bot: bot === 1,
    })),
  }
}
