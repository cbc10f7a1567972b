import { Buffer } from 'node:buffer'
import { type CheckedClick, checkClick, type Receipt } from '@clicktally/contract/click-check.ts'
import { clickLimits } from '@clicktally/contract/click-event.ts'
import { type Rejection, rejection } from '@clicktally/contract/click-rejection.ts'
import { encodeClick } from '@clicktally/contract/clicks-message.ts'
import { type AcceptedClick, writeOperations } from '@clicktally/contract/write-operations.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { rejectionProblem } from '../errors.ts'
import type { IngestContext } from '../ingest-context.ts'
import { cutOffBody, parseJson, takeBody } from '../request-body.ts'
import { receiptOf } from '../request-receipt.ts'
import { isCutOff, isParsableEvent } from '../request-structure.ts'

/** A character is at most 3 bytes; only what could be too large is measured. */
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
export function postEvent(app: HttpApp, { publisher, windowMs, figures }: IngestContext): void {
  const { method, url, schema } = writeOperations.postEvent
  app.route<{ Body: string }>({
    method,
    url,
    schema: { response: { 202: schema.response[202] } },
    // No async function: each await is a turn more, and this is where every click passes.
    handler(request, reply) {
      const receipt = receiptOf(request, windowMs)
      const text = takeBody(request)
      const checked = checkEvent(text, receipt)
      if ('code' in checked) {
        figures.rejected(checked.code)
        throw rejectionProblem(checked, receipt.receivedAtMs)
      }
      const { click, warning } = checked
      const answer: AcceptedClick = { id: click.id, status: 'accepted', ...(warning && { warning }) }
      publisher.publish(encodeClick(click), 1).then(
        () => {
          figures.accepted(1)
          reply.code(202).send(answer)
        },
        (error: Error) => reply.send(error),
      )
    },
  })
}
