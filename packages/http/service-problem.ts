import type { Problem } from '@clicktally/operations/problem.ts'

/** HTTP status, title and retry advice of one error code. */
export interface ProblemKind {
  readonly status: number
  readonly title: string
  readonly retryable: boolean
  /** Seconds; sent as Retry-After. */
  readonly retryAfterSeconds?: number
}

/** Errors that every service can return, most of them detected by Fastify or Node before a route runs. */
export const commonProblems = {
  bad_request: { status: 400, title: 'Malformed request', retryable: false },
  not_found: { status: 404, title: 'Not found', retryable: false },
  method_not_allowed: { status: 405, title: 'Method not allowed', retryable: false },
  request_timeout: { status: 408, title: 'The request timed out', retryable: true },
  body_too_large: { status: 413, title: 'The request body is too large', retryable: false },
  media_type_unsupported: { status: 415, title: 'Unsupported content type', retryable: false },
  internal: { status: 500, title: 'Internal error', retryable: true },
} as const satisfies Record<string, ProblemKind>

/** An error that is sent to the client as application/problem+json. */
export class ServiceProblem extends Error {
  readonly problem: Problem
  readonly retryAfterSeconds: number | undefined
  /** More headers of the response. */
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: string,
    kind: ProblemKind,
    detail: string,
    more: { field?: string; serverTime?: string; headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause })
    this.name = 'ServiceProblem'
    this.retryAfterSeconds = kind.retryAfterSeconds
    this.headers = more.headers ?? {}
    this.problem = {
      type: `urn:clicktally:problem:${code}`,
      title: kind.title,
      status: kind.status,
      detail,
      code,
      retryable: kind.retryable,
      ...(more.field !== undefined && { field: more.field }),
      ...(more.serverTime !== undefined && { serverTime: more.serverTime }),
    }
  }
}

/** Converts any error to a problem. Unknown errors become `internal`, which reveals no internals to the client. */
export function toServiceProblem(error: unknown): ServiceProblem {
  if (error instanceof ServiceProblem) return error
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string }
  const detail = message ?? ''
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return common('body_too_large', 'The request body exceeds the size limit of this route.', error)
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return common(
        'media_type_unsupported',
        'This route does not support that Content-Type. /docs lists the supported types.',
        error,
      )
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return common('bad_request', 'The length of the body differs from its Content-Length.', error)
  }
  if (statusCode === 408) return common('request_timeout', detail, error)
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return common('bad_request', detail, error)
  return common(
    'internal',
    'An unexpected error occurred. The service log has the details under this request id.',
    error,
  )
}

function common(code: keyof typeof commonProblems, detail: string, cause: unknown): ServiceProblem {
  return new ServiceProblem(code, commonProblems[code], detail, { cause })
}
