import type { Rejection } from '@clicktally/event/click-rejection.ts'
import { rejectionCodes } from '@clicktally/event/click-rejection.ts'
import { type ProblemKind, ServiceProblem } from '@clicktally/http/service-problem.ts'

/** The errors of this service, beyond those that all services share. */
const problems = {
  body_not_utf8: { status: 400, title: 'The body is not valid UTF-8', retryable: false },
  body_not_json: { status: 400, title: 'The body is not valid JSON', retryable: false },
  body_encoding_broken: { status: 400, title: 'The compressed body is corrupt', retryable: false },
  fetched_ahead: { status: 403, title: 'Not fetched ahead of a click', retryable: false },
  link_unknown: { status: 404, title: 'Unknown link', retryable: false },
  inflated_too_large: { status: 413, title: 'The decompressed body is too large', retryable: false },
  event_too_large: { status: 413, title: 'The event is too large', retryable: false },
  too_many_events: { status: 413, title: 'The batch has too many events', retryable: false },
  encoding_unsupported: { status: 415, title: 'Unsupported content encoding', retryable: false },
  batch_invalid: { status: 422, title: 'The batch is malformed', retryable: false },
  batch_empty: { status: 422, title: 'The batch is empty', retryable: false },
  broker_unavailable: { status: 503, title: 'The broker is unavailable', retryable: true, retryAfterSeconds: 1 },
  broker_blocked: {
    status: 503,
    title: 'The broker is not accepting messages',
    retryable: true,
    retryAfterSeconds: 5,
  },
  queue_unavailable: { status: 503, title: 'The queue is unavailable', retryable: true, retryAfterSeconds: 5 },
  queue_full: { status: 503, title: 'The queue is full', retryable: true, retryAfterSeconds: 5 },
  unroutable: {
    status: 503,
    title: 'The click queue or its binding is missing',
    retryable: true,
    retryAfterSeconds: 2,
  },
  cell_unknown: { status: 503, title: 'The cell of the project is unknown', retryable: true, retryAfterSeconds: 5 },
  confirm_timeout: { status: 503, title: 'The broker did not confirm in time', retryable: true, retryAfterSeconds: 1 },
  inflation_busy: { status: 503, title: 'Too many compressed bodies', retryable: true, retryAfterSeconds: 1 },
  clocks_differ: {
    status: 503,
    title: 'The clocks of nginx and ingest differ',
    retryable: true,
    retryAfterSeconds: 30,
  },
  overloaded: {
    status: 503,
    title: 'Too many clicks are waiting for the broker',
    retryable: true,
    retryAfterSeconds: 1,
  },
} as const satisfies Record<string, ProblemKind>

export type IngestProblemCode = keyof typeof problems

export function problem(code: IngestProblemCode, detail: string, cause?: unknown): ServiceProblem {
  return new ServiceProblem(code, problems[code], detail, { cause })
}

/** Converts the rejection of a single event to a problem. */
export function rejectionProblem(rejection: Rejection, serverTimeMs: number): ServiceProblem {
  const kind = rejection.code === 'event_too_large' ? problems.event_too_large : unprocessable
  return new ServiceProblem(rejection.code, { ...kind, title: rejectionCodes[rejection.code] }, rejection.detail, {
    ...(rejection.field !== undefined && { field: rejection.field }),
    ...(aboutTime.has(rejection.code) && { serverTime: new Date(serverTimeMs).toISOString() }),
  })
}

const unprocessable = { status: 422, title: 'The event is invalid', retryable: false } as const

/** Rejections that may be caused by a wrong client clock; the response includes the server's time. */
export const aboutTime: ReadonlySet<Rejection['code']> = new Set(['id_too_old', 'id_in_future', 'too_old'])
