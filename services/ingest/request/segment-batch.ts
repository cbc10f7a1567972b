import { clickLimits } from '@clicktally/event/click-event.ts'
import { cutText } from '@clicktally/event/cut-text.ts'
import { maxCharsOf } from '@clicktally/event/event-fields.ts'
import { derivedUuidV7 } from '@clicktally/message/derived-uuid-v7.ts'

type Fields = Record<string, unknown>

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const objectOf = (value: unknown): Fields => (isObject(value) ? value : {})
const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

/**
 * Converts a message of Segment's tracking API to an event. A `track` counts for its event, a `page` or `screen` for
 * `page: <name or path>`.
 *
 * Segment's libraries send a message again with the same `messageId` and `timestamp`: the id is derived from both, so that it counts
 * once. A message without either gets an id from its request.
 *
 * @param type of the message, if it does not name one
 * @returns undefined for messages that are no clicks: `identify`, `group`, `alias`. What is no message is returned as it is, to be refused
 */
export function eventOfSegment(message: unknown, type?: string): Fields | undefined {
  if (!isObject(message)) return message as Fields
  const kind = textOf(message.type) ?? type
  if (kind === 'identify' || kind === 'group' || kind === 'alias') return undefined
  const page = objectOf(objectOf(message.context).page)
  const properties = objectOf(message.properties)
  const url = textOf(page.url) ?? textOf(properties.url)
  const referrer = textOf(page.referrer) ?? textOf(properties.referrer)
  const timestamp = textOf(message.timestamp) ?? textOf(message.originalTimestamp)
  const id = idOf(textOf(message.messageId), timestamp)
  const visitorId = textOf(message.userId) ?? textOf(message.anonymousId)
  const props = propsOf(properties)
  return {
    ...(id !== undefined && { id }),
    target:
      kind === 'track'
        ? message.event
        : `page: ${textOf(message.name) ?? textOf(properties.path) ?? textOf(page.path) ?? url ?? ''}`,
    ...(timestamp !== undefined && { occurredAt: timestamp }),
    ...(visitorId !== undefined && { visitorId }),
    ...(url !== undefined && { url: cutText(url, maxCharsOf('url')) }),
    ...(referrer !== undefined && { referrer: cutText(referrer, maxCharsOf('referrer')) }),
    ...(props !== undefined && { props }),
  }
}

function idOf(messageId: string | undefined, timestamp: string | undefined): string | undefined {
  const timeMs = timestamp === undefined ? Number.NaN : Date.parse(timestamp)
  // An id has 48 bits for the time.
  return messageId !== undefined && timeMs >= 0 && timeMs < 2 ** 48
    ? derivedUuidV7(timeMs, `segment:${messageId}`)
    : undefined
}

/** Props are flat: nested properties become JSON. Of too many or too long ones the first are kept, because Segment has no such limits. */
function propsOf(properties: Fields): Fields | undefined {
  const props = Object.entries(properties)
    .filter(([name, value]) => name !== '' && name.length <= clickLimits.propKeyChars && value !== undefined)
    .slice(0, clickLimits.propKeys)
    .map(([name, value]) => {
      const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : value
      return [name, typeof text === 'string' ? text.slice(0, clickLimits.propValueChars).toWellFormed() : text]
    })
  return props.length === 0 ? undefined : Object.fromEntries(props)
}
