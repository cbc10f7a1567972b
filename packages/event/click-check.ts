import { Compile } from 'typebox/compile'
import type { Click } from './click.ts'
import { type ClickEvent, clickEventSchema, clickLimits } from './click-event.ts'
import { printableName, type Rejection, rejection } from './click-rejection.ts'
import { createViolationFinder } from './click-violation.ts'
import {
  derivedVisitorPrefix,
  type EventField,
  eventFields,
  optionalTexts,
  type SentField,
  sentFields,
} from './event-fields.ts'
import { parseRfc3339 } from './rfc3339.ts'
import { createTextCopy } from './text-copy.ts'
import { isUuidV7, timeOfUuidV7 } from './uuid-v7.ts'

type SentTextName = Extract<SentField, { type: 'text'; optional: true }>['name']

export interface CheckedClick {
  readonly click: Click
  readonly warning?: 'occurred_at_clamped'
}

/** What a user agent tells. */
export interface AgentFacts {
  /** For the field `agent` of a click. */
  readonly code: string
  readonly isBot: boolean
}

/** What the server knows about the request of an event. */
export interface Receipt {
  readonly projectId: number
  readonly requestId: string
  /** When this service received it, by its own clock. Milliseconds since 1970. */
  readonly receivedAtMs: number
  /** When its first byte reached the system; the same on every try of the request. Milliseconds since 1970. */
  readonly startedAtMs: number
  /** Greatest age of a click, in milliseconds. Undefined for a backfill, which accepts clicks since `clickLimits.oldestMs`. */
  readonly windowMs: number | undefined
  /**
   * Makes the id of an event without one.
   *
   * @param occurredAtMs when the click happened, according to the event
   * @param place of the event in its request, from 0
   * @throws if the event cannot get the same id on every try
   */
  readonly makeId: (occurredAtMs: number, place: number) => string
  /**
   * Derives the visitor of an event without `visitorId`. Called only for events that need it; not for bots, which are not counted
   * as visitors. Undefined, or returning undefined: such an event has no visitor.
   */
  readonly deriveVisitor?: (() => string | undefined) | undefined
  /**
   * What is known of the visitor's browser: from the event's `userAgent`, or else from the request. Undefined, or returning
   * undefined: nothing.
   */
  readonly agentOf?: ((userAgent: string | undefined) => AgentFacts | undefined) | undefined
  /** The country of an event that names none, from the request. Undefined, or returning undefined: not known. */
  readonly countryOf?: (() => string | undefined) | undefined
  /** Whether the sender has a secret key. Only then may the event contain the fields that servers set. Default: false. */
  readonly isServer?: boolean
}

/**
 * Checks one event against every rule and turns it into a click. Never throws, whatever the value; only `receipt.makeId` may throw.
 *
 * @param place of the event in its request, from 0
 */
export type ClickCheck = (value: unknown, receipt: Receipt, place?: number) => CheckedClick | Rejection

/** @param fields those of `eventFields`, or more */
export function createClickCheck(fields: readonly EventField[]): ClickCheck {
  const eventSchema = clickEventSchema(fields)
  const schema = Compile(eventSchema)
  const firstViolation = createViolationFinder(eventSchema)
  const sent = sentFields(fields)
  const texts = sent.filter(({ type, optional }) => type === 'text' && optional).map(({ name }) => name as SentTextName)
  const serverFields = sent.filter(({ setBy }) => setBy === 'server').map(({ name }) => name as SentTextName)
  const copyTexts = createTextCopy(optionalTexts(fields).map(({ name }) => name))

  return (event, receipt, place = 0) => {
    if (!schema.Check(event)) return firstViolation(event)
    const fault = faultyText(event, texts)
    if (fault !== undefined) return fault
    if (event.visitorId?.startsWith(derivedVisitorPrefix)) return rejection('visitor_id_reserved', 'visitorId')

    if (receipt.isServer !== true) {
      for (const name of serverFields) if (event[name] !== undefined) return rejection('secret_key_required', name)
    }

    const { receivedAtMs: now, windowMs } = receipt
    const oldestMs = windowMs === undefined ? clickLimits.oldestMs : now - windowMs
    const id = event.id?.toLowerCase()
    // The click happened when the request began, though its body may have taken minutes. Never after now: clocks differ.
    let occurredAtMs = Math.min(receipt.startedAtMs, now)
    if (id !== undefined) {
      if (!isUuidV7(id)) return rejection('id_not_v7', 'id')
      occurredAtMs = timeOfUuidV7(id)
      if (occurredAtMs < oldestMs)
        return rejection(windowMs === undefined ? 'too_old_for_backfill' : 'id_too_old', 'id')
      if (occurredAtMs > now + clickLimits.idAheadMs) return rejection('id_in_future', 'id')
    }
    if (event.occurredAt !== undefined) {
      const parsed = parseRfc3339(event.occurredAt)
      if (parsed === undefined) return rejection('occurred_at_invalid', 'occurredAt')
      if (parsed < oldestMs) return rejection(windowMs === undefined ? 'too_old_for_backfill' : 'too_old', 'occurredAt')
      occurredAtMs = parsed
    } else if (windowMs === undefined && id === undefined) {
      return rejection(
        'missing_field',
        'occurredAt',
        'An old click needs "occurredAt", or an "id" that contains its time.',
      )
    }
    const clamped = occurredAtMs > now + clickLimits.aheadMs
    const click: Click = {
      id: id ?? receipt.makeId(occurredAtMs, place),
      projectId: receipt.projectId,
      target: event.target,
      occurredAtMs: clamped ? now : occurredAtMs,
      receivedAtMs: now,
      requestId: receipt.requestId,
    }
    const agent = receipt.agentOf?.(event.userAgent)
    const isBot = event.bot ?? agent?.isBot === true
    if (isBot) click.bot = true
    const visitorId = event.visitorId ?? (isBot ? undefined : receipt.deriveVisitor?.())
    copyTexts(event, click, visitorId, event.country ?? receipt.countryOf?.(), agent?.code)
    if (event.props !== undefined) click.props = event.props as NonNullable<Click['props']>
    return clamped ? { click, warning: 'occurred_at_clamped' } : { click }
  }
}

/** The check of every event that clients send. */
export const checkClick = createClickCheck(eventFields)

/**
 * JSON can spell what PostgreSQL cannot store (U+0000) and what UTF-8 cannot encode (half a surrogate pair): refused, not repaired.
 *
 * @param texts names of the optional texts
 */
function faultyText(event: ClickEvent, texts: readonly SentTextName[]): Rejection | undefined {
  const { id, target, occurredAt, props } = event
  const fault = textFault('id', id) ?? textFault('target', target) ?? textFault('occurredAt', occurredAt)
  if (fault !== undefined) return fault
  for (const name of texts) {
    const fault = textFault(name, event[name])
    if (fault !== undefined) return fault
  }
  if (props === undefined) return undefined
  for (const [key, prop] of Object.entries(props)) {
    const fault = textFault('props', key) ?? textFault('props', prop)
    if (fault !== undefined) return rejection(fault.code, `props.${printableName(key)}`)
  }
  return undefined
}

function textFault(field: string, value: unknown): Rejection | undefined {
  if (typeof value !== 'string') return undefined
  if (value.includes('\0')) return rejection('nul_character', field)
  return value.isWellFormed() ? undefined : rejection('lone_surrogate', field)
}
