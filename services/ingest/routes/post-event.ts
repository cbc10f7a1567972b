import { Buffer } from 'node:buffer'
import { type CheckedClick, checkClick, type Receipt } from '@clicktally/event/click-check.ts'
import { clickLimits } from '@clicktally/event/click-event.ts'
import { type Rejection, rejection } from '@clicktally/event/click-rejection.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { encodeClick } from '@clicktally/message/clicks-message.ts'
import { type AcceptedClick, writeOperations } from '@clicktally/operations/write-operations.ts'
import { senderOf } from '../access/sender-access.ts'
import { rejectionProblem } from '../errors.ts'
import type { IngestContext } from '../ingest-context.ts'
import { cutOffBody, parseJson, smallBodyBytes, takeBody } from '../request/request-body.ts'
import { receiptOf } from '../request/request-receipt.ts'
import { isCutOff, isParsableEvent } from '../request/request-structure.ts'

/** A UTF-16 code unit is at most 3 bytes in UTF-8, so only long texts are measured. */
function isTooLarge(text: string): boolean {
  return text.length * 3 > clickLimits.eventBytes && Buffer.byteLength(text) > clickLimits.eventBytes
}

function checkEvent(text: string, receipt: Receipt): CheckedClick | Rejection {
  if (isTooLarge(text)) return rejection('event_too_large')
  if (isParsableEvent(text)) return checkClick(parseJson(text), receipt)
  if (isCutOff(text)) throw cutOffBody()
  return rejection('event_too_complex')
}

/** POST /v1/events: one event, answered 202 after the broker's confirm. */
export function postEvent(app: HttpApp, context: IngestContext): void {
  const { publisher, windowMs, metrics, access } = context
  const { method, url, schema } = writeOperations.postEvent
  app.options(url, access.preflight)
  app.route<{ Body: string }>({
    method,
    url,
    schema: { response: { 202: schema.response[202] } },
    bodyLimit: smallBodyBytes,
    onRequest: access.requires('send'),
    // Not an async function: this is the hot path, and each await adds a microtask.
    handler(request, reply) {
      const key = senderOf(request)
      const receipt = receiptOf(request, key, windowMs, context)
      const text = takeBody(request)
      const checked = checkEvent(text, receipt)
      if ('code' in checked) {
        metrics.rejected(checked.code)
        throw rejectionProblem(checked, receipt.receivedAtMs)
      }
      access.takeClicks(key, 1)
      const { click, warning } = checked
      const answer: AcceptedClick = { id: click.id, status: 'accepted', ...(warning && { warning }) }
      publisher.publish(key.projectId, encodeClick(click), 1, request.span).then(
        () => {
          metrics.accepted(1)
          reply.code(202).send(answer)
        },
        (error: Error) => reply.send(error),
      )
    },
  })
}
