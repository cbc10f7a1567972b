import { Compile } from 'typebox/compile'
import type { Click } from './click.ts'
import { ClickEvent, clickLimits } from './click-event.ts'
import { printableName, type Rejection, rejection } from './click-rejection.ts'
import { firstViolation } from './click-violation.ts'
import { parseRfc3339 } from './rfc3339.ts'
import { isUuidV7, timeOfUuidV7 } from './uuid-v7.ts'

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
  if (!schema.Check(value)) return firstViolation(value)
  const fault = faultyText(value)
  if (fault !== undefined) return fault

  const { receivedAtMs: now, windowMs } = receipt
  const oldestMs = windowMs === undefined ? clickLimits.oldestMs : now - windowMs
  const id = value.id?.toLowerCase()
  // The click took place when the request began, though its body may have taken minutes. Never after now: clocks differ.
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
    if (code !== undefined) return rejection(code, `props.${printableName(key)}`)
  }
  return undefined
}

function textFault(text: string): 'nul_character' | 'lone_surrogate' | undefined {
  if (text.includes('\0')) return 'nul_character'
  return text.isWellFormed() ? undefined : 'lone_surrogate'
}
