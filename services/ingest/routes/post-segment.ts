import { batchLimits } from '@clicktally/event/click-event.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { FastifyRequest } from 'fastify'
import { problem } from '../errors.ts'
import type { IngestContext } from '../ingest-context.ts'
import { parseJson, takeBody } from '../request/request-body.ts'
import { isParsableBatch } from '../request/request-structure.ts'
import { eventOfSegment } from '../request/segment-batch.ts'
import { acceptBatch } from './batch-acceptance.ts'

/** Segment's paths, and the type of a message without one. */
const paths = {
  batch: undefined,
  track: 'track',
  t: 'track',
  page: 'page',
  p: 'page',
  screen: 'page',
  identify: 'identify',
  i: 'identify',
  group: 'group',
  g: 'group',
  alias: 'alias',
  a: 'alias',
} as const

/**
 * POST /segment/v1/…: the part of Segment's HTTP tracking API that its libraries use. The key is the user name of Basic authentication
 * or `writeKey` in the body. Answered 200 after the confirm, as those libraries expect, and with BatchResult as well.
 */
export function postSegment(app: HttpApp, context: IngestContext): void {
  const { access, windowMs } = context
  for (const [name, type] of Object.entries(paths)) {
    const url = `/segment/v1/${name}`
    app.options(url, access.preflight)
    app.route({
      method: 'POST',
      url,
      onRequest: access.requiresUnlessInBody('send', true),
      handler(request, reply) {
        const { key: text, messages } = messagesOf(request, name === 'batch')
        const key = request.senderKey ?? access.authorize(request, reply, 'send', { text })
        const events = messages
          .map((message) => eventOfSegment(message, type))
          .filter((event) => event !== undefined)
          .map((value) => ({ value, measure: true, fault: undefined }))
        if (events.length === 0) return reply.send({ success: true })
        return acceptBatch(context, request, reply, { key, events, windowMs, acceptedStatus: 200 })
      },
    })
  }
}

/** @throws {ServiceProblem} body_not_json, batch_invalid, too_many_events */
function messagesOf(request: FastifyRequest, isBatch: boolean): { key: string | undefined; messages: unknown[] } {
  const text = takeBody(request)
  if (!isParsableBatch(text)) throw problem('batch_invalid', 'The batch has too much structure. Split it.')
  const body = parseJson(text)
  if (typeof body !== 'object' || body === null) throw problem('batch_invalid', 'The body must be a JSON object.')
  const { writeKey, batch } = body as { writeKey?: unknown; batch?: unknown }
  const messages = isBatch ? batch : [body]
  if (!Array.isArray(messages)) throw problem('batch_invalid', 'The body must have a "batch": a list of messages.')
  if (messages.length > batchLimits.events) {
    throw problem('too_many_events', `The batch has more than ${batchLimits.events} messages. Split it.`)
  }
  return { key: typeof writeKey === 'string' ? writeKey : undefined, messages }
}
