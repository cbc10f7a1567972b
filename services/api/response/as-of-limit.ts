import type { Meta } from '@clicktally/operations/read/read-schemas.ts'
import type { FastifyRequest } from 'fastify'

/**
 * The answer with an `asOf` that is true while the project moves (decision 0047): its old cell is read, which does not get its new clicks any
 * more, however up to date the cell is otherwise.
 */
export function withTrueAsOf<Answer extends { readonly meta: Meta }>(
  { reading }: FastifyRequest,
  answer: Answer,
): Answer {
  const limitMs = reading?.completeUntilMs
  const { asOf, lagMs } = answer.meta
  if (limitMs === undefined || asOf === null || lagMs === null || Date.parse(asOf) <= limitMs) return answer
  const meta = { ...answer.meta, asOf: new Date(limitMs).toISOString(), lagMs: lagMs + Date.parse(asOf) - limitMs }
  return { ...answer, meta }
}
