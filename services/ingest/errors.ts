import type { Rejection } from '@clicktally/contract/click-rejection.ts'
import { rejectionCodes } from '@clicktally/contract/click-rejection.ts'
import { type ProblemKind, ServiceProblem } from '@clicktally/http/service-problem.ts'

/** Every error of this service but the ones that all services have: code, status, what the client may do. */
const problems = {
  body_not_utf8: { status: 400, title: 'The body is not UTF-8', retryable: false },
  body_not_json: { status: 400, title: 'The body is not JSON', retryable: false },
  body_encoding_broken: { status: 400, title: 'The compressed body is broken', retryable: false },
  inflated_too_large: { status: 413, title: 'The body is too large when inflated', retryable: false },
  event_too_large: { status: 413, title: 'The event is too large', retryable: false },
  too_many_events: { status: 413, title: 'The batch has too many events', retryable: false },
  encoding_unsupported: { status: 415, title: 'The content encoding is not supported', retryable: false },
  batch_invalid: { status: 422, title: 'The batch is not of the right shape', retryable: false },
  batch_empty: { status: 422, title: 'The batch has no event', retryable: false },
  broker_unavailable: { status: 503, title: 'The broker can not be reached', retryable: true, retryAfterSeconds: 1 },
  broker_blocked: {
    status: 503,
    title: 'The broker takes no clicks at present',
    retryable: true,
    retryAfterSeconds: 5,
  },
  queue_unavailable: { status: 503, title: 'The queue does not answer', retryable: true, retryAfterSeconds: 5 },
  queue_full: { status: 503, title: 'The queue is full', retryable: true, retryAfterSeconds: 5 },
  unroutable: { status: 503, title: 'The broker has no queue for clicks', retryable: true, retryAfterSeconds: 2 },
  confirm_timeout: { status: 503, title: 'The broker did not confirm in time', retryable: true, retryAfterSeconds: 1 },
  clocks_differ: {
    status: 503,
    title: 'The clocks of nginx and ingest differ',
    retryable: true,
    retryAfterSeconds: 30,
  },
  overloaded: { status: 503, title: 'Too many clicks wait for the broker', retryable: true, retryAfterSeconds: 1 },
} as const satisfies Record<string, ProblemKind>

export type IngestProblemCode = keyof typeof problems

export function problem(code: IngestProblemCode, detail: string, cause?: unknown): ServiceProblem {
  return new ServiceProblem(code, problems[code], detail, { cause })
}

/** A refused event as the answer to a request that carried nothing else. */
export function rejectionProblem(rejection: Rejection, serverTimeMs: number): ServiceProblem {
  const kind = rejection.code === 'event_too_large' ? problems.event_too_large : unprocessable
  return new ServiceProblem(rejection.code, { ...kind, title: rejectionCodes[rejection.code] }, rejection.detail, {
    ...(rejection.field !== undefined && { field: rejection.field }),
    ...(aboutTime.has(rejection.code) && { serverTime: new Date(serverTimeMs).toISOString() }),
  })
}

const unprocessable = { status: 422, title: 'The event breaks a rule', retryable: false } as const

/** Refusals after which a client wants to compare clocks. */
export const aboutTime: ReadonlySet<Rejection['code']> = new Set(['id_too_old', 'id_in_future', 'too_old'])
