import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import { type ProblemKind, ServiceProblem } from '@clicktally/http/service-problem.ts'

/** The errors of this service, in addition to those of all services. */
const problems = {
  body_invalid: { status: 422, title: 'Invalid field', retryable: false },
  origin_invalid: { status: 422, title: 'Invalid origin', retryable: false },
  origins_required: { status: 422, title: 'A write key needs an origin', retryable: false },
  expiry_invalid: { status: 422, title: 'Invalid expiry', retryable: false },
  url_invalid: { status: 422, title: 'Invalid URL', retryable: false },
  threshold_invalid: { status: 422, title: 'Invalid threshold', retryable: false },
  token_invalid: { status: 422, title: 'The link is not valid', retryable: false },
  cell_unknown: { status: 422, title: 'Unknown cell', retryable: false },
  project_unknown: { status: 404, title: 'Unknown project', retryable: false },
  key_not_found: { status: 404, title: 'Unknown key', retryable: false },
  public_counter_not_found: { status: 404, title: 'Unknown public counter', retryable: false },
  link_not_found: { status: 404, title: 'Unknown link', retryable: false },
  webhook_not_found: { status: 404, title: 'Unknown webhook', retryable: false },
  event_not_found: { status: 404, title: 'Unknown event', retryable: false },
  threshold_not_found: { status: 404, title: 'Unknown threshold', retryable: false },
  user_not_found: { status: 404, title: 'Unknown user', retryable: false },
  project_exists: { status: 409, title: 'The project exists already', retryable: false },
  project_moving: { status: 409, title: 'The project moves', retryable: false },
  slug_taken: { status: 409, title: 'The name is taken', retryable: false },
  too_many_links: { status: 409, title: 'Too many links', retryable: false },
  email_exists: { status: 409, title: 'The email address is taken', retryable: false },
  key_revoked: { status: 409, title: 'The key is revoked', retryable: false },
  key_is_operators: { status: 409, title: 'The key belongs to the operator', retryable: false },
  webhook_disabled: { status: 409, title: 'The webhook is disabled', retryable: false },
  too_many_webhooks: { status: 409, title: 'Too many webhooks', retryable: false },
  too_many_thresholds: { status: 409, title: 'Too many thresholds', retryable: false },
  last_owner: { status: 409, title: 'The last owner cannot be removed', retryable: false },
  sign_in_failed: { status: 401, title: 'Sign-in failed', retryable: false },
  too_many_attempts: { status: 429, title: 'Too many attempts', retryable: true },
  database_unavailable: { status: 503, title: 'The database is unavailable', retryable: true, retryAfterSeconds: 1 },
} as const satisfies Record<string, ProblemKind>

export function problem(
  code: keyof typeof problems,
  detail: string,
  more: { readonly field?: string; readonly retryAfterSeconds?: number; readonly cause?: unknown } = {},
): ServiceProblem {
  const { retryAfterSeconds, ...rest } = more
  const kind: ProblemKind = problems[code]
  return new ServiceProblem(code, retryAfterSeconds === undefined ? kind : { ...kind, retryAfterSeconds }, detail, rest)
}

/** Converts an error of validation or of the database to a problem. Undefined if it is a defect of this service. */
export function explain(error: unknown): ServiceProblem | undefined {
  return validationProblem(error) ?? databaseProblem(error)
}

function validationProblem(error: unknown): ServiceProblem | undefined {
  const { validation, validationContext } = error as {
    validation?: {
      instancePath: string
      message: string
      params?: { additionalProperties?: string[]; requiredProperties?: string[] }
    }[]
    validationContext?: string
  }
  const [first] = validation ?? []
  if (first === undefined) return undefined
  const [unknown] = first.params?.additionalProperties ?? []
  const [missing] = first.params?.requiredProperties ?? []
  const field = (unknown ?? missing ?? first.instancePath.slice(1).replaceAll('/', '.')).slice(0, 64)
  const name = field === '' ? `The ${validationContext ?? 'body'}` : `"${field}"`
  const detail = unknown !== undefined ? 'is not a known field' : missing !== undefined ? 'is required' : first.message
  return problem('body_invalid', `${name} ${detail}.`, { ...(field !== '' && { field }), cause: error })
}

function databaseProblem(error: unknown): ServiceProblem | undefined {
  const { code, message } = error as { code?: string; message?: string }
  const isUnavailable =
    // 08: connection, 57: shutting down or cancelled, 53: out of resources, 28: login refused, 55: locked. The rest is Node's or pg's.
    /^(08|57|53|28|55)/.test(sqlStateOf(error) ?? '') ||
    ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'EHOSTUNREACH'].includes(
      code ?? '',
    ) ||
    /timeout|Connection terminated|not queryable/i.test(message ?? '')
  return isUnavailable
    ? problem('database_unavailable', 'Nothing was changed. Retry later.', { cause: error })
    : undefined
}
