import { notPrimary } from '@clicktally/database/cluster-pool.ts'
import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import { type ProblemKind, ServiceProblem } from '@clicktally/http/service-problem.ts'

/** The errors of this service, beyond those that all services share. */
const problems = {
  parameter_invalid: { status: 422, title: 'Invalid parameter', retryable: false },
  parameter_unknown: { status: 422, title: 'Unknown parameter', retryable: false },
  time_invalid: { status: 422, title: 'Invalid time', retryable: false },
  range_empty: { status: 422, title: 'Empty time range', retryable: false },
  too_many_points: { status: 422, title: 'The series has too many points', retryable: false },
  dimension_unknown: { status: 422, title: 'Unknown dimension', retryable: false },
  question_too_large: { status: 422, title: 'The question has too many clicks', retryable: false },
  time_zone_unknown: { status: 422, title: 'Unknown time zone', retryable: false },
  cursor_invalid: { status: 422, title: 'Invalid cursor', retryable: false },
  id_not_v7: { status: 422, title: 'The id is not a version 7 UUID', retryable: false },
  public_counter_not_found: { status: 404, title: 'Unknown public counter', retryable: false },
  live_unavailable: { status: 503, title: 'Live clicks are unavailable', retryable: true, retryAfterSeconds: 5 },
  live_viewers_exceeded: { status: 503, title: 'Too many viewers', retryable: true, retryAfterSeconds: 30 },
  export_in_progress: { status: 429, title: 'An export is in progress', retryable: true, retryAfterSeconds: 30 },
  exports_busy: { status: 503, title: 'Too many exports are in progress', retryable: true, retryAfterSeconds: 30 },
  questions_busy: { status: 503, title: 'Too many questions wait', retryable: true, retryAfterSeconds: 5 },
  cell_unknown: { status: 503, title: 'The cell is unknown', retryable: true, retryAfterSeconds: 5 },
  database_unavailable: {
    status: 503,
    title: 'The database is unavailable',
    retryable: true,
    retryAfterSeconds: 1,
  },
  columns_not_ready: {
    status: 503,
    title: 'The clicks are not prepared for this question yet',
    retryable: true,
    retryAfterSeconds: 60,
  },
  query_timeout: { status: 503, title: 'The query timed out', retryable: true, retryAfterSeconds: 5 },
} as const satisfies Record<string, ProblemKind>

export function problem(code: keyof typeof problems, detail: string, field?: string, cause?: unknown): ServiceProblem {
  return new ServiceProblem(code, problems[code], detail, { cause, ...(field !== undefined && { field }) })
}

export function unknownTimeZone(tz: string, cause?: unknown): ServiceProblem {
  const detail = `"tz" is "${tz.slice(0, 64)}", which is no IANA time zone. Use a name such as Europe/Paris or UTC.`
  return problem('time_zone_unknown', detail, 'tz', cause)
}

/** Converts a database error to a problem. Undefined if the error comes from elsewhere or is a defect of this service. */
export function databaseProblem(error: unknown): ServiceProblem | undefined {
  const state = sqlStateOf(error)
  if (state === '57014') return problem('query_timeout', 'Request a shorter range or wider buckets.', undefined, error)
  const { code, message } = error as { code?: string; message?: string }
  const isUnavailable =
    // 08: connection, 57P: shutting down or starting, 53: out of resources, 28: login refused, 40001: the query conflicts with what a
    // replica applies. The rest comes from Node or pg.
    /^(08|57P|53|28|40001)/.test(state ?? '') ||
    [notPrimary, 'ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'EHOSTUNREACH'].includes(
      code ?? '',
    ) ||
    /timeout|Connection terminated|not queryable/i.test(message ?? '')
  return isUnavailable
    ? problem(
        'database_unavailable',
        'Counts cannot be read now. Clicks are still accepted. Retry later.',
        undefined,
        error,
      )
    : undefined
}

/** Whether the connection on which a query ran was lost. The next one may be to a server that answers. */
export function isConnectionLost(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string }
  return (
    ['57P01', '57P02', 'ECONNRESET', 'EPIPE'].includes(code ?? '') ||
    /Connection terminated unexpectedly|not queryable/.test(message ?? '')
  )
}
