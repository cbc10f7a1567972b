import type { ServiceProblem } from '@clicktally/http/service-problem.ts'
import { type IngestProblemCode, problem } from './errors.ts'

const details = {
  broker_unavailable: 'The broker can not be reached, or the connection to it broke before it had the click safe.',
  broker_blocked: 'The broker is short of memory or disk space and takes no clicks until it has recovered.',
  queue_unavailable: 'The broker is connected, but its queue for clicks confirms nothing at present.',
  queue_full: 'The queue refuses clicks: the processors are behind and it is full, or it has no leader.',
  unroutable: 'The queue for clicks, or its binding, is missing at the broker.',
  confirm_timeout: 'The broker did not confirm the click in time.',
  overloaded: 'Too many clicks wait for the broker already.',
} as const satisfies Partial<Record<IngestProblemCode, string>>

/** Why clicks were not surely published: all these are answered 503, and the same ids may be sent again. */
export function publishFailure(code: keyof typeof details, cause?: unknown): ServiceProblem {
  return problem(code, `${details[code]} Send it again later, with the same id.`, cause)
}
