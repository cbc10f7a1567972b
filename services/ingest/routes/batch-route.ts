import { encodeClick } from '@clicktally/contract/clicks-message.ts'
import type { writeOperations } from '@clicktally/contract/write-operations.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import type { FastifyRequest } from 'fastify'
import { BatchAnswer } from '../batch-answer.ts'
import type { IngestContext } from '../ingest-context.ts'
import { batchOf, checkBatchEvent, sentId } from '../request-batch.ts'
import { receiptOf } from '../request-receipt.ts'

type BatchOperation = typeof writeOperations.postBatch | typeof writeOperations.postBackfill

/** What is kept of a batch until it is answered. */
interface TakenBatch {
  /** Of the accepted clicks, as the message contract writes them. */
  readonly lines: string
  readonly clicks: number
  /** BatchResult as JSON. */
  readonly answer: string
}

/**
 * A route that takes up to 500 events; each has its own result, and one bad event never sinks the others.
 *
 * @param windowMs how old a click may be; undefined for a backfill
 */
export function addBatchRoute(
  app: HttpApp,
  { publisher, figures }: IngestContext,
  { method, url }: BatchOperation,
  windowMs: number | undefined,
): void {
  app.route({
    method,
    url,
    // No async function, which would keep all of the batch until the confirm.
    handler(request, reply) {
      const { lines, clicks, answer } = takeBatch(request)
      const send = (status: 202 | 422) => reply.code(status).type('application/json; charset=utf-8').send(answer)
      if (clicks === 0) {
        send(422)
        return
      }
      publisher.publish(lines, clicks).then(
        () => {
          figures.accepted(clicks)
          send(202)
        },
        (error: Error) => reply.send(error),
      )
    },
  })

  function takeBatch(request: FastifyRequest): TakenBatch {
    const receipt = receiptOf(request, windowMs)
    const answer = new BatchAnswer()
    const lines: string[] = []
    for (const [place, event] of batchOf(request).entries()) {
      const checked = checkBatchEvent(event, receipt, place)
      if ('code' in checked) {
        figures.rejected(checked.code)
        answer.reject(sentId(event), checked, receipt.receivedAtMs)
      } else {
        lines.push(encodeClick(checked.click))
        answer.accept(checked)
      }
    }
    return { lines: lines.join('\n'), clicks: answer.accepted, answer: answer.toString() }
  }
}
