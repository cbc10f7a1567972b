import type { SnapshotKey } from '@clicktally/keys/key-snapshot.ts'
import { encodeClick } from '@clicktally/message/clicks-message.ts'
import { encodeShort } from '@clicktally/message/short-line.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IngestContext } from '../ingest-context.ts'
import { BatchAnswer } from '../request/batch-answer.ts'
import { type BatchEvent, checkBatchEvent, sentId } from '../request/request-batch.ts'
import { receiptOf } from '../request/request-receipt.ts'

/** The events of a request, and what they are checked against. */
export interface SentBatch {
  readonly key: SnapshotKey
  readonly events: readonly BatchEvent[]
  /** How old a click may be; undefined for a backfill. */
  readonly windowMs: number | undefined
  /** 204: without a body, for senders that cannot read it. 200: for senders that take no other. */
  readonly acceptedStatus: 200 | 202 | 204
}

/** What is kept in memory for a batch until it is answered. */
interface TakenBatch {
  /** The accepted clicks, one a line: the first encoded by encodeClick(), the others by encodeShort(). */
  readonly lines: string
  readonly clicks: number
  /** BatchResult as JSON. */
  readonly answer: string
}

/**
 * Publishes the valid events of a batch, and answers when the broker has confirmed them. Each event has its own result: an invalid
 * one does not affect the others.
 *
 * Not an async function, which would keep the whole batch in memory until the confirm.
 */
export function acceptBatch(
  context: IngestContext,
  request: FastifyRequest,
  reply: FastifyReply,
  batch: SentBatch,
): void {
  const { acceptedStatus } = batch
  const { lines, clicks, answer } = takeBatch(context, request, batch)
  const send = (status: 200 | 202 | 422) => reply.code(status).type('application/json; charset=utf-8').send(answer)
  if (clicks === 0) {
    send(422)
    return
  }
  const { publisher, metrics } = context
  publisher.publish(batch.key.projectId, lines, clicks, request.span).then(
    () => {
      metrics.accepted(clicks)
      if (acceptedStatus === 204) reply.code(204).send()
      else send(acceptedStatus)
    },
    (error: Error) => reply.send(error),
  )
}

function takeBatch(context: IngestContext, request: FastifyRequest, { key, events, windowMs }: SentBatch): TakenBatch {
  const { metrics, access } = context
  const receipt = receiptOf(request, key, windowMs, context)
  const answer = new BatchAnswer()
  const lines: string[] = []
  for (const [place, event] of events.entries()) {
    const checked = checkBatchEvent(event, receipt, place)
    if ('code' in checked) {
      metrics.rejected(checked.code)
      answer.reject(sentId(event), checked, receipt.receivedAtMs)
    } else {
      lines.push(lines.length === 0 ? encodeClick(checked.click) : encodeShort(checked.click))
      answer.accept(checked)
    }
  }
  if (answer.accepted > 0) access.takeClicks(key, answer.accepted)
  return { lines: lines.join('\n'), clicks: answer.accepted, answer: answer.toString() }
}
