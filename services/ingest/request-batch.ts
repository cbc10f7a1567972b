import { Buffer } from 'node:buffer'
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
import { bodyOf, parseJson } from './request-body.ts'

/** One of the events that a request brought, not yet checked. */
export interface BatchEvent {
  /** The id that the client sent, if it is a text. */
  readonly id: string | null
  check(receipt: Receipt): CheckedClick | Rejection
}

/**
 * The events of a request that brings many, as {"events": [...]} or as NDJSON.
 *
 * @throws {ServiceProblem} body_not_json, batch_invalid, batch_empty, too_many_events.
 */
export function batchOf(request: FastifyRequest): BatchEvent[] {
  const text = bodyOf(request)
  // Fastify has parsed and checked it; media types are the same in any case.
  const ndjson = request.headers['content-type']?.toLowerCase().startsWith('application/x-ndjson') === true
  return ndjson ? splitLines(text) : splitBatch(text)
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
  return events.map((event: unknown) => ({
    id: idOf(event),
    check(receipt) {
      const checked = checkClick(event, receipt)
      // After the check: what passed it is flat, so that measuring can't overflow the stack.
      const tooLarge =
        measure && 'click' in checked && Buffer.byteLength(JSON.stringify(event)) > clickLimits.eventBytes
      return tooLarge ? rejection('event_too_large') : checked
    },
  }))
}

function splitLines(text: string): BatchEvent[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  checkCount(lines.length)
  return lines.map((line) => {
    let event: unknown
    try {
      event = JSON.parse(line)
    } catch {
      return { id: null, check: () => rejection('not_json') }
    }
    const tooLarge = Buffer.byteLength(line) > clickLimits.eventBytes
    return {
      id: idOf(event),
      check: (receipt) => (tooLarge ? rejection('event_too_large') : checkClick(event, receipt)),
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

function idOf(event: unknown): string | null {
  return isObject(event) && typeof event.id === 'string' ? event.id.slice(0, 64).toWellFormed() : null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
