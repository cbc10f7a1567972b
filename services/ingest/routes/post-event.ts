import { Buffer } from 'node:buffer'
import { checkClick, rejection } from '@clicktally/contract/click-check.ts'
import { clickLimits } from '@clicktally/contract/click-event.ts'
import { encodeClick } from '@clicktally/contract/clicks-message.ts'
import { type AcceptedClick, writeOperations } from '@clicktally/contract/write-operations.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { rejectionProblem } from '../errors.ts'
import type { IngestContext } from '../ingest-context.ts'
import { bodyOf, parseJson } from '../request-body.ts'
import { receiptOf } from '../request-receipt.ts'

/** POST /v1/events: one event, answered 202 after the broker's confirm. */
export function postEvent(app: HttpApp, { publisher, windowMs, figures }: IngestContext): void {
  const { method, url, schema } = writeOperations.postEvent
  app.route<{ Body: string }>({
    method,
    url,
    schema: { response: { 202: schema.response[202] } },
    async handler(request, reply) {
      const receipt = receiptOf(request, windowMs)
      const text = bodyOf(request)
      const checked =
        Buffer.byteLength(text) > clickLimits.eventBytes
          ? rejection('event_too_large')
          : checkClick(parseJson(text), receipt)
      if ('code' in checked) {
        figures.rejected(checked.code)
        throw rejectionProblem(checked, receipt.receivedAtMs)
      }
      const { click, warning } = checked
      await publisher.publish(encodeClick(click), 1)
      figures.accepted(1)
      const answer: AcceptedClick = { id: click.id, status: 'accepted', ...(warning && { warning }) }
      return reply.code(202).send(answer)
    },
  })
}
