import { type ProblemKind, ServiceProblem } from '@clicktally/http/service-problem.ts'

/** The reasons for refusing a request before its route handler runs. */
const problems = {
  key_missing: { status: 401, title: 'A key is required', retryable: false },
  key_malformed: { status: 401, title: 'The key is malformed', retryable: false },
  key_unknown: { status: 401, title: 'The key is not valid', retryable: false },
  session_expired: { status: 401, title: 'The session has ended', retryable: false },
  right_missing: { status: 403, title: 'The role does not allow this operation', retryable: false },
  key_in_url: { status: 403, title: 'The key may not be in a URL', retryable: false },
  origin_not_allowed: { status: 403, title: 'The key may not be used from this origin', retryable: false },
  cross_site_request: { status: 403, title: 'The request comes from another site', retryable: false },
  project_not_allowed: { status: 403, title: 'The key belongs to another project', retryable: false },
  project_unknown: { status: 404, title: 'Unknown project', retryable: false },
  key_limit_exceeded: { status: 429, title: 'The key exceeds its rate limit', retryable: true },
  keys_unavailable: { status: 503, title: 'Keys cannot be verified', retryable: true, retryAfterSeconds: 2 },
} as const satisfies Record<string, ProblemKind>

export type AccessProblemCode = keyof typeof problems

export function accessProblem(
  code: AccessProblemCode,
  detail: string,
  retryAfterSeconds?: number,
  headers: Readonly<Record<string, string>> = {},
): ServiceProblem {
  const kind: ProblemKind = problems[code]
  return new ServiceProblem(code, retryAfterSeconds === undefined ? kind : { ...kind, retryAfterSeconds }, detail, {
    headers,
  })
}
