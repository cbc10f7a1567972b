import { checkClick } from '@clicktally/event/click-check.ts'
import type { SnapshotKey } from '@clicktally/keys/key-snapshot.ts'
import { encodeClick } from '@clicktally/message/clicks-message.ts'
import type { FastifyRequest } from 'fastify'
import { rejectionProblem } from '../errors.ts'
import type { IngestContext } from '../ingest-context.ts'
import { receiptOf } from '../request/request-receipt.ts'

/**
 * Publishes the click of a request that has no body.
 *
 * @returns the click's id, after the broker's confirm
 * @throws {ServiceProblem} if the event is invalid, the key's limit is exceeded, or the click is not confirmed
 */
export async function acceptClick(
  context: IngestContext,
  request: FastifyRequest,
  key: SnapshotKey,
  event: Record<string, unknown>,
): Promise<string> {
  const { publisher, metrics, access, windowMs } = context
  const receipt = receiptOf(request, key, windowMs, context)
  const checked = checkClick(event, receipt)
  if ('code' in checked) {
    metrics.rejected(checked.code)
    throw rejectionProblem(checked, receipt.receivedAtMs)
  }
  access.takeClicks(key, 1)
  await publisher.publish(key.projectId, encodeClick(checked.click), 1, request.span)
  metrics.accepted(1)
  return checked.click.id
}
