import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import { type ProblemKind, ServiceProblem } from '@clicktally/http/service-problem.ts'

/** Every error of this service but the ones that all services have: code, status, what the client may do. */
const problems = {
  parameter_invalid: { status: 422, title: 'A parameter is wrong', retryable: false },
  parameter_unknown: { status: 422, title: 'There is no such parameter', retryable: false },
  time_invalid: { status: 422, title: 'A time is not RFC 3339', retryable: false },
  range_empty: { status: 422, title: 'The range ends before it begins', retryable: false },
  too_many_points: { status: 422, title: 'The series has too many points', retryable: false },
  time_zone_unknown: { status: 422, title: 'The time zone is not known', retryable: false },
  cursor_invalid: { status: 422, title: 'The cursor is not one of ours', retryable: false },
  id_not_v7: { status: 422, title: 'The id is not a UUID of version 7', retryable: false },
  database_unavailable: {
    status: 503,
    title: 'The database can not be reached',
    retryable: true,
    retryAfterSeconds: 1,
  },
  query_timeout: { status: 503, title: 'The question took too long', retryable: true, retryAfterSeconds: 5 },
} as const satisfies Record<string, ProblemKind>

export function problem(code: keyof typeof problems, detail: string, field?: string, cause?: unknown): ServiceProblem {
  return new ServiceProblem(code, problems[code], detail, { cause, ...(field !== undefined && { field }) })
}

export function unknownTimeZone(cause?: unknown): ServiceProblem {
  return problem('time_zone_unknown', '"tz" must be an IANA time zone, like Europe/Paris or UTC.', 'tz', cause)
}

/** An error of the database as the problem to answer with; undefined where it is no such error, or a fault of ours. */
export function databaseProblem(error: unknown): ServiceProblem | undefined {
  const state = sqlStateOf(error)
  if (state === '57014') return problem('query_timeout', 'Ask for a shorter range or wider buckets.', undefined, error)
  // Not every zone that JavaScript knows is one of PostgreSQL's: they bring lists of their own.
  if (state === '22023' && /time zone/.test((error as Error).message)) return unknownTimeZone(error)
  const { code, message } = error as { code?: string; message?: string }
  const lost =
    // 08: connection, 57P: shut down or starting, 53: out of resources, 28: login refused; the rest is said by Node or pg.
    /^(08|57P|53|28)/.test(state ?? '') ||
    ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'EHOSTUNREACH'].includes(
      code ?? '',
    ) ||
    /timeout|Connection terminated|not queryable/i.test(message ?? '')
  return lost
    ? problem(
        'database_unavailable',
        'Counts can not be read at present; clicks are taken all the same.',
        undefined,
        error,
      )
    : undefined
}
