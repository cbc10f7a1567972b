import type { Rejection } from '@clicktally/contract/click-check.ts'
import { encodeClick } from '@clicktally/contract/clicks-message.ts'
import type { BatchResult, writeOperations } from '@clicktally/contract/write-operations.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { aboutTime } from '../errors.ts'
import type { IngestContext } from '../ingest-context.ts'
import { batchOf } from '../request-batch.ts'
import { receiptOf } from '../request-receipt.ts'

type BatchOperation = typeof writeOperations.postBatch | typeof writeOperations.postBackfill

/**
 * A route that takes up to 500 events; each has its own result, and one bad event never sinks the others.
 *
 * @param windowMs how old a click may be; undefined for a backfill
 */
export function addBatchRoute(
  app: HttpApp,
  { publisher, figures }: IngestContext,
  { method, url, schema }: BatchOperation,
  windowMs: number | undefined,
): void {
  app.route<{ Body: string }>({
    method,
    url,
    schema: { response: { 202: schema.response[202], 422: schema.response[202] } },
    async handler(request, reply) {
      const receipt = receiptOf(request, windowMs)
      const lines: string[] = []
      const results: BatchResult['results'] = []
      for (const [index, event] of batchOf(request).entries()) {
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
