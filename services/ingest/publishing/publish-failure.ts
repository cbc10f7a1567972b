import type { ServiceProblem } from '@clicktally/http/service-problem.ts'
import { type IngestProblemCode, problem } from '../errors.ts'

const details = {
  broker_unavailable: 'The broker is unavailable, or the connection broke before the broker confirmed the click.',
  broker_blocked: 'The broker is low on memory or disk space and accepts no clicks until it has recovered.',
  queue_unavailable: 'The broker is connected, but the click queue confirms no messages.',
  queue_full: 'The click queue rejects messages: it is full because the processors are behind, or it has no leader.',
  unroutable: 'The click queue or its binding is missing on the broker.',
  confirm_timeout: 'The broker did not confirm the click in time.',
  overloaded: 'Too many clicks are already waiting for the broker.',
} as const satisfies Partial<Record<IngestProblemCode, string>>

/** Creates the 503 problem for clicks that the broker did not confirm. Clients may retry with the same ids. */
export function publishFailure(code: keyof typeof details, cause?: unknown): ServiceProblem {
  return problem(code, `${details[code]} Retry later with the same id.`, cause)
}
