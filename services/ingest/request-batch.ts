import { Buffer } from 'node:buffer'
import type { Click } from '@clicktally/contract/click.ts'
import {
  type CheckedClick,
  checkClick,
  type Receipt,
  type Rejection,
  rejection,
} from '@clicktally/contract/click-check.ts'
import { batchLimits, clickLimits } from '@clicktally/contract/click-event.ts'
import type { FastifyRequest } from 'fastify'
import { problem } from './errors.ts'
import { parseJson, takeBody } from './request-body.ts'

/** One of the events that a request brought, not yet checked. */
export interface BatchEvent {
  readonly value: unknown
  /** Whether it may be larger than an event may be, which is measured after its check. */
  readonly measure: boolean
  /** What its line breaks already. */
  readonly fault: 'not_json' | 'event_too_large' | undefined
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
  const batch = parseJson(text)
  const events = isObject(batch) ? batch.events : undefined
  if (!isObject(batch) || !Array.isArray(events) || Object.keys(batch).length > 1) {
    throw problem(
      'batch_invalid',
      'The body must be {"events": [...]} and nothing else, or NDJSON as application/x-ndjson.',
    )
  }
  checkCount(events.length)
  // Only a body that is larger than the limit can hold an event that is.
  const measure = Buffer.byteLength(text) > clickLimits.eventBytes
  return events.map((value: unknown) => ({ value, measure, fault: undefined }))
}

function splitLines(text: string): BatchEvent[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  checkCount(lines.length)
  return lines.map((line) => {
    try {
      const value: unknown = JSON.parse(line)
      const tooLarge = Buffer.byteLength(line) > clickLimits.eventBytes
      return { value, measure: false, fault: tooLarge ? 'event_too_large' : undefined }
    } catch {
      return { value: undefined, measure: false, fault: 'not_json' }
    }
  })
}

function checkCount(count: number): void {
  if (count === 0) throw problem('batch_empty', 'The batch has no event.')
  if (count > batchLimits.events) {
    throw problem(
      'too_many_events',
      `The batch has ${count} events; at most ${batchLimits.events} are taken. Split it.`,
    )
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
