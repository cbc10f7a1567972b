import { Buffer } from 'node:buffer'
import {
  type CheckedClick,
  checkClick,
  type Receipt,
  type Rejection,
  rejection,
} from '@clicktally/contract/click-check.ts'
import { batchLimits, clickLimits } from '@clicktally/contract/click-event.ts'
import { encodeClick } from '@clicktally/contract/clicks-message.ts'
import { type BatchResult, writeOperations } from '@clicktally/contract/write-operations.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { aboutTime, problem } from '../errors.ts'
import type { IngestContext } from '../ingest-context.ts'
import { bodyOf, parseJson } from '../request-body.ts'
import { receiptOf } from '../request-receipt.ts'

/** POST /v1/events/batch: up to 500 events; each has its own result, and one bad event never sinks the others. */
export function postBatch(app: HttpApp, { publisher, windowMs, figures }: IngestContext): void {
  const { method, url, schema } = writeOperations.postBatch
  app.route<{ Body: string }>({
    method,
    url,
    schema: { response: { 202: schema.response[202], 422: schema.response[202] } },
    async handler(request, reply) {
      const receipt = receiptOf(request, windowMs)
      const text = bodyOf(request)
      // Fastify has parsed and checked it; media types are the same in any case.
      const ndjson = request.headers['content-type']?.toLowerCase().startsWith('application/x-ndjson') === true
      const events = ndjson ? splitLines(text) : splitBatch(text)
      const lines: string[] = []
      const results: BatchResult['results'] = []
      for (const [index, event] of events.entries()) {
        const checked = event.check(receipt.at(index))
        if ('code' in checked) {
          figures.rejected(checked.code)
          results.push(rejectedResult(index, event.id, checked, receipt.receivedAtMs))
        } else {
          lines.push(encodeClick(checked.click))
          const { warning } = checked
          results.push({ index, id: checked.click.id, status: 'accepted', ...(warning && { warning }) })
        }
      }
      const answer: BatchResult = { accepted: lines.length, rejected: results.length - lines.length, results }
      if (lines.length === 0) return reply.code(422).send(answer)
      await publisher.publish(lines.join('\n'), lines.length)
      figures.accepted(lines.length)
      return reply.code(202).send(answer)
    },
  })
}

interface BatchEvent {
  /** The id that the client sent, if it is a text. */
  readonly id: string | null
  check(receipt: Receipt): CheckedClick | Rejection
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

function rejectedResult(index: number, id: string | null, { code, detail, field }: Rejection, serverTimeMs: number) {
  return {
    index,
    id,
    status: 'rejected' as const,
    code,
    detail,
    ...(field !== undefined && { field }),
    ...(aboutTime.has(code) && { serverTime: new Date(serverTimeMs).toISOString() }),
  }
}

function idOf(event: unknown): string | null {
  return isObject(event) && typeof event.id === 'string' ? event.id.slice(0, 64).toWellFormed() : null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
