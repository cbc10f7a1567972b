import { Buffer } from 'node:buffer'
import type { Click } from '@clicktally/contract/click.ts'
import { type CheckedClick, checkClick, type Receipt } from '@clicktally/contract/click-check.ts'
import { batchLimits, clickLimits } from '@clicktally/contract/click-event.ts'
import { type Rejection, rejection } from '@clicktally/contract/click-rejection.ts'
import type { FastifyRequest } from 'fastify'
import { problem } from './errors.ts'
import { cutOffBody, parseJson, takeBody } from './request-body.ts'
import { batchElements, isCutOff, isParsableBatch, isParsableEvent } from './request-structure.ts'

/** One of the events that a request brought, not yet checked. */
export interface BatchEvent {
  readonly value: unknown
  /** Whether it may be larger than an event may be, which is measured after its check. */
  readonly measure: boolean
  /** What its line breaks already. */
  readonly fault: 'not_json' | 'event_too_large' | 'event_too_complex' | undefined
}

/**
 * The events of a request that brings many, as {"events": [...]} or as NDJSON.
 *
 * @throws {ServiceProblem} body_not_json, batch_invalid, batch_empty, too_many_events.
 */
export function batchOf(request: FastifyRequest): BatchEvent[] {
  const text = takeBody(request)
  // Fastify has parsed and checked it; media types are the same in any case.
  const ndjson = request.headers['content-type']?.toLowerCase().startsWith('application/x-ndjson') === true
  return ndjson ? splitLines(text) : splitBatch(text)
}

/** @param place of the event in its batch, from 0 */
export function checkBatchEvent(
  { value, measure, fault }: BatchEvent,
  receipt: Receipt,
  place: number,
): CheckedClick | Rejection {
  if (fault !== undefined) return rejection(fault)
  const checked = checkClick(value, receipt, place)
  // After the check: what passed it is flat, so that measuring can't overflow the stack.
  const tooLarge =
    measure &&
    'click' in checked &&
    mayBeTooLarge(checked.click) &&
    Buffer.byteLength(JSON.stringify(value)) > clickLimits.eventBytes
  return tooLarge ? rejection('event_too_large') : checked
}

/** Never false of an event that is. Cheaper than to measure, and enough for nearly all. */
function mayBeTooLarge({ target, visitorId = '', url = '', referrer = '', props }: Click): boolean {
  // The names of all fields, the id and the time.
  let chars = 256 + target.length + visitorId.length + url.length + referrer.length
  for (const [name, value] of props === undefined ? [] : Object.entries(props)) {
    // No number is longer than 24.
    chars += name.length + (typeof value === 'string' ? value.length : 24) + 6
  }
  // As JSON a character is at most 6 bytes: \u0001.
  return chars * 6 > clickLimits.eventBytes
}

/** The id that the client sent, if it is a text. */
export function sentId({ value }: BatchEvent): string | null {
  return isObject(value) && typeof value.id === 'string' ? value.id.slice(0, 64).toWellFormed() : null
}

function splitBatch(text: string): BatchEvent[] {
  if (!isParsableBatch(text)) return splitElements(text)
  const batch = parseJson(text)
  const events = isObject(batch) ? batch.events : undefined
  if (!isObject(batch) || !Array.isArray(events) || Object.keys(batch).length > 1) throw invalidBatch()
  if (events.length === 0) throw emptyBatch()
  if (events.length > batchLimits.events) throw tooManyEvents()
  const measure = mayHoldTooLarge(text)
  return events.map((value: unknown) => ({ value, measure, fault: undefined }))
}

/** The same, element by element: one that is too complex is not parsed, and does not sink the others. */
function splitElements(text: string): BatchEvent[] {
  const events: BatchEvent[] = []
  const measure = mayHoldTooLarge(text)
  const elements = batchElements(text)
  for (let next = elements.next(); ; next = elements.next()) {
    if (next.done) {
      if (!next.value) throw isCutOff(text) ? cutOffBody() : invalidBatch()
      if (events.length === 0) throw emptyBatch()
      return events
    }
    if (events.length === batchLimits.events) throw tooManyEvents()
    const { text: element, isParsable } = next.value
    events.push(
      isParsable
        ? { value: parseJson(element), measure, fault: undefined }
        : { value: undefined, measure: false, fault: 'event_too_complex' },
    )
  }
}

/** Only a body that is larger than the limit can hold an event that is. */
function mayHoldTooLarge(text: string): boolean {
  return Buffer.byteLength(text) > clickLimits.eventBytes
}

function splitLines(text: string): BatchEvent[] {
  const events: BatchEvent[] = []
  const nonSpace = /\S/g
  // From one line that is not blank to the next, natively: there may be a million line breaks between them.
  while (nonSpace.test(text)) {
    if (events.length === batchLimits.events) throw tooManyEvents()
    const from = text.lastIndexOf('\n', nonSpace.lastIndex - 1) + 1
    const lineEnd = text.indexOf('\n', nonSpace.lastIndex)
    const to = lineEnd === -1 ? text.length : lineEnd
    events.push(eventOfLine(text.slice(from, to)))
    nonSpace.lastIndex = to
  }
  if (events.length === 0) throw emptyBatch()
  return events
}

function eventOfLine(line: string): BatchEvent {
  const broken = (fault: BatchEvent['fault']): BatchEvent => ({ value: undefined, measure: false, fault })
  // A character is at most 3 bytes.
  const mayBeTooLarge = line.length * 3 > clickLimits.eventBytes
  if (mayBeTooLarge && Buffer.byteLength(line) > clickLimits.eventBytes) return broken('event_too_large')
  if (!isParsableEvent(line)) return broken(isCutOff(line) ? 'not_json' : 'event_too_complex')
  try {
    return { value: JSON.parse(line), measure: false, fault: undefined }
  } catch {
    return broken('not_json')
  }
}

function invalidBatch(): Error {
  return problem(
    'batch_invalid',
    'The body must be {"events": [...]} and nothing else, or NDJSON as application/x-ndjson.',
  )
}

function emptyBatch(): Error {
  return problem('batch_empty', 'The batch has no event.')
}

function tooManyEvents(): Error {
  return problem('too_many_events', `The batch has more than ${batchLimits.events} events. Split it.`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
