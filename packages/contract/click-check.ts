import { Compile } from 'typebox/compile'
import type { Click } from './click.ts'
import { ClickEvent, clickLimits } from './click-event.ts'
import { parseRfc3339 } from './rfc3339.ts'
import { isUuidV7, timeOfUuidV7 } from './uuid-v7.ts'

/** Why an event is refused. Stable: clients decide by these. */
export const rejectionCodes = {
  not_an_object: 'An event is a JSON object.',
  not_json: 'The line is not JSON.',
  event_too_large: 'An event is at most 32 KiB.',
  missing_field: 'A required field is missing.',
  unknown_field: 'The event has a field that does not exist.',
  invalid_field: 'A field is of the wrong type, too short or too long.',
  nul_character: 'A text has the character U+0000, which can not be stored.',
  lone_surrogate: 'A text is not well-formed Unicode: it has half of a surrogate pair.',
  id_not_v7: 'The id is not a UUID of version 7.',
  id_too_old: 'The time inside the id is older than the window. Send the click to /v1/backfill, which takes old ones.',
  id_in_future: 'The time inside the id is more than 24 hours ahead.',
  occurred_at_invalid: 'occurredAt is not an RFC 3339 time.',
  too_old: 'The click is older than the window. Send it to /v1/backfill, which takes old ones.',
  too_old_for_backfill: `The click is from before ${new Date(clickLimits.oldestMs).toISOString()}, the oldest time that is taken. Correct its time, or leave it out.`,
} as const

export type RejectionCode = keyof typeof rejectionCodes

export interface Rejection {
  readonly code: RejectionCode
  readonly detail: string
  /** The field at fault, as a path: `target`, `props.size`. */
  readonly field?: string
}

export interface CheckedClick {
  readonly click: Click
  readonly warning?: 'occurred_at_clamped'
}

/** What the server knows of the request that brought the event. */
export interface Receipt {
  readonly projectId: number
  readonly requestId: string
  /** When this service got it, by its own clock. Milliseconds since 1970. */
  readonly receivedAtMs: number
  /** When its first byte reached the system: the same on every try of the request. Milliseconds since 1970. */
  readonly startedAtMs: number
  /** How old a click may be, in milliseconds. Undefined for a backfill, which goes back to `clickLimits.oldestMs`. */
  readonly windowMs: number | undefined
  /**
   * Makes the id of an event that came without one.
   *
   * @param occurredAtMs when the click took place, as far as the event says
   * @param place of the event in its request, from 0
   * @throws whatever makes it impossible to give the event the same id on every try
   */
  readonly makeId: (occurredAtMs: number, place: number) => string
}

const schema = Compile(ClickEvent)
const textFields = ['id', 'target', 'occurredAt', 'visitorId', 'url', 'referrer'] as const

/**
 * Checks one event against every rule of the contract and stamps it. Throws for no value; only `receipt.makeId` may throw.
 *
 * @param place of the event in its request, from 0
 */
export function checkClick(value: unknown, receipt: Receipt, place = 0): CheckedClick | Rejection {
  if (!schema.Check(value)) return describeViolation(value)
  const fault = faultyText(value)
  if (fault !== undefined) return fault

  const { receivedAtMs: now, windowMs } = receipt
  const oldestMs = windowMs === undefined ? clickLimits.oldestMs : now - windowMs
  const id = value.id?.toLowerCase()
  // A body may take minutes to arrive: the click took place before the request began. But never in this service's future.
  let occurredAtMs = Math.min(receipt.startedAtMs, now)
  if (id !== undefined) {
    if (!isUuidV7(id)) return rejection('id_not_v7', 'id')
    occurredAtMs = timeOfUuidV7(id)
    if (occurredAtMs < oldestMs) return rejection(windowMs === undefined ? 'too_old_for_backfill' : 'id_too_old', 'id')
    if (occurredAtMs > now + clickLimits.idAheadMs) return rejection('id_in_future', 'id')
  }
  if (value.occurredAt !== undefined) {
    const parsed = parseRfc3339(value.occurredAt)
    if (parsed === undefined) return rejection('occurred_at_invalid', 'occurredAt')
    if (parsed < oldestMs) return rejection(windowMs === undefined ? 'too_old_for_backfill' : 'too_old', 'occurredAt')
    occurredAtMs = parsed
  } else if (windowMs === undefined && id === undefined) {
    return rejection('missing_field', 'occurredAt', 'An old click needs "occurredAt", or an "id" with its time inside.')
  }
  const clamped = occurredAtMs > now + clickLimits.aheadMs
  const click: Click = {
    id: id ?? receipt.makeId(occurredAtMs, place),
    projectId: receipt.projectId,
    target: value.target,
    occurredAtMs: clamped ? now : occurredAtMs,
    receivedAtMs: now,
    requestId: receipt.requestId,
  }
  if (value.bot === true) click.bot = true
  if (value.visitorId !== undefined) click.visitorId = value.visitorId
  if (value.url !== undefined) click.url = value.url
  if (value.referrer !== undefined) click.referrer = value.referrer
  if (value.props !== undefined) click.props = value.props as NonNullable<Click['props']>
  return clamped ? { click, warning: 'occurred_at_clamped' } : { click }
}

export function rejection(code: RejectionCode, field?: string, detail: string = rejectionCodes[code]): Rejection {
  return field === undefined ? { code, detail } : { code, detail, field }
}

/** JSON can spell what PostgreSQL can't hold (U+0000) and what UTF-8 can't (half a surrogate pair): refused, not mended. */
function faultyText(event: ClickEvent): Rejection | undefined {
  for (const field of textFields) {
    const text = event[field]
    if (text === undefined) continue
    const code = textFault(text)
    if (code !== undefined) return rejection(code, field)
  }
  const { props } = event
  if (props === undefined) return undefined
  for (const [key, prop] of Object.entries(props)) {
    const code = textFault(key) ?? (typeof prop === 'string' ? textFault(prop) : undefined)
    if (code !== undefined) return rejection(code, `props.${printable(key)}`)
  }
  return undefined
}

function textFault(text: string): 'nul_character' | 'lone_surrogate' | undefined {
  if (text.includes('\0')) return 'nul_character'
  return text.isWellFormed() ? undefined : 'lone_surrogate'
}

function describeViolation(value: unknown): Rejection {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return rejection('not_an_object')
  const known = ClickEvent.properties
  const unknown = Object.keys(value).find((key) => !Object.hasOwn(known, key))
  if (unknown !== undefined) {
    const field = printable(unknown)
    return rejection('unknown_field', field, `There is no field "${field}". Own data goes into "props".`)
  }
  if (!Object.hasOwn(value, 'target')) return rejection('missing_field', 'target', '"target" is required.')
  const error = schema.Errors(value)[0]
  const path = (error?.instancePath ?? '').split('/').slice(1).map(unescaped).map(printable)
  const field = path.join('.')
  return rejection(
    'invalid_field',
    field,
    `"${field}" ${aboutProp(path, error?.schemaPath) ?? error?.message ?? 'is not valid'}.`,
  )
}

/** What is wrong with a value in `props`, or with its name. A value matches none of four types: one's message would mislead. */
function aboutProp(path: readonly string[], schemaPath = ''): string | undefined {
  if (path[0] !== 'props' || path.length === 1) return undefined
  return schemaPath.endsWith('/propertyNames')
    ? `must have a name of 1 to ${clickLimits.propKeyChars} characters`
    : `must be a string of at most ${clickLimits.propValueChars} characters, a finite number, a boolean or null`
}

/** A part of a JSON Pointer (RFC 6901) as it was before. */
function unescaped(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~')
}

/** What a client sent as a name, made safe to send back: short and well-formed. */
function printable(name: string): string {
  return name.slice(0, 64).toWellFormed()
}
