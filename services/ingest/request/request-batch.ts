import { Buffer } from 'node:buffer'
import { type CheckedClick, checkClick, type Receipt } from '@clicktally/event/click-check.ts'
import { batchLimits, clickLimits } from '@clicktally/event/click-event.ts'
import { type Rejection, rejection } from '@clicktally/event/click-rejection.ts'
import { mayBeTooLarge } from '@clicktally/event/event-size.ts'
import type { FastifyRequest } from 'fastify'
import { problem } from '../errors.ts'
import { cutOffBody, parseJson, takeBody } from './request-body.ts'
import { batchElements, isCutOff, isParsableBatch, isParsableEvent } from './request-structure.ts'

/** One event of a batch request, not yet validated. */
export interface BatchEvent {
  readonly value: unknown
  /** Whether it may exceed the size limit. Its size is measured after validation. */
  readonly measure: boolean
  /** The rule that it broke before it was parsed. */
  readonly fault: 'not_json' | 'event_too_large' | 'event_too_complex' | undefined
}

/**
 * Reads the events of a batch request, which has the form {"events": [...]} or NDJSON.
 *
 * @throws {ServiceProblem} body_not_json, batch_invalid, batch_empty, too_many_events.
 */
export function batchOf(request: FastifyRequest): BatchEvent[] {
  const text = takeBody(request)
  // Fastify has validated the header. Media types are case-insensitive.
  const ndjson = request.headers['content-type']?.toLowerCase().startsWith('application/x-ndjson') === true
  return ndjson ? splitLines(text) : splitBatch(text)
}

/** The body of a beacon: a batch, or a single event. Either may contain the key, as pages cannot set headers of a beacon. */
export interface Beacon {
  readonly key: string | undefined
  readonly events: BatchEvent[]
}

/**
 * Reads the events and the key of a beacon, which is JSON whatever its content type.
 *
 * @throws {ServiceProblem} body_not_json, batch_invalid, batch_empty, too_many_events.
 */
export function beaconOf(request: FastifyRequest): Beacon {
  const text = takeBody(request)
  // A body with so much structure is not parsed as a whole. Its key must be in the query.
  if (!isParsableBatch(text)) return { key: undefined, events: splitElements(text) }
  const body = parseJson(text)
  if (!isObject(body)) throw invalidBatch()
  const { key: sent, ...rest } = body
  const key = typeof sent === 'string' ? sent : undefined
  const measure = mayHoldTooLarge(text)
  if (!('events' in rest)) return { key, events: eventsOf([rest], measure) }
  if (Object.keys(rest).length > 1) throw invalidBatch()
  return { key, events: eventsOf(rest.events, measure) }
}

/** @param place index of the event in its batch */
export function checkBatchEvent(
  { value, measure, fault }: BatchEvent,
  receipt: Receipt,
  place: number,
): CheckedClick | Rejection {
  if (fault !== undefined) return rejection(fault)
  const checked = checkClick(value, receipt, place)
  // After validation, as a valid event is flat and serializing it cannot overflow the stack.
  const tooLarge =
    measure &&
    'click' in checked &&
    mayBeTooLarge(checked.click) &&
    Buffer.byteLength(JSON.stringify(value)) > clickLimits.eventBytes
  return tooLarge ? rejection('event_too_large') : checked
}

/** The id that the client sent, if it is a string. */
export function sentId({ value }: BatchEvent): string | null {
  return isObject(value) && typeof value.id === 'string' ? value.id.slice(0, 64).toWellFormed() : null
}

function splitBatch(text: string): BatchEvent[] {
  if (!isParsableBatch(text)) return splitElements(text)
  const batch = parseJson(text)
  if (!isObject(batch) || Object.keys(batch).length > 1) throw invalidBatch()
  return eventsOf(batch.events, mayHoldTooLarge(text))
}

function eventsOf(events: unknown, measure: boolean): BatchEvent[] {
  if (!Array.isArray(events)) throw invalidBatch()
  if (events.length === 0) throw emptyBatch()
  if (events.length > batchLimits.events) throw tooManyEvents()
  return events.map((value: unknown) => ({ value, measure, fault: undefined }))
}

/** Splits a batch into elements before parsing: one that is too complex is not parsed, and the others are still accepted. */
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

/** Only a body above the size limit of an event can contain an event above it. */
function mayHoldTooLarge(text: string): boolean {
  return Buffer.byteLength(text) > clickLimits.eventBytes
}

function splitLines(text: string): BatchEvent[] {
  const events: BatchEvent[] = []
  const nonSpace = /\S/g
  // The native search skips blank lines quickly: there may be a million of them.
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
    'The body must be {"events": [...]} with no other fields, or NDJSON with Content-Type application/x-ndjson.',
  )
}

function emptyBatch(): Error {
  return problem('batch_empty', 'The batch must contain at least one event.')
}

function tooManyEvents(): Error {
  return problem('too_many_events', `The batch has more than ${batchLimits.events} events. Split it.`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
