import type { Problem } from '@clicktally/contract/problem.ts'

/** What an error code means: its status, its title, and whether the same request can succeed later. */
export interface ProblemKind {
  readonly status: number
  readonly title: string
  readonly retryable: boolean
  /** Seconds after which a retry makes sense; sent as Retry-After. */
  readonly retryAfterSeconds?: number
}

/** Errors that Fastify and Node find before a route is reached; every service has them. */
export const commonProblems = {
  bad_request: { status: 400, title: 'The request can not be read', retryable: false },
  not_found: { status: 404, title: 'There is nothing here', retryable: false },
  request_timeout: { status: 408, title: 'The request took too long to arrive', retryable: true },
  body_too_large: { status: 413, title: 'The body is too large', retryable: false },
  media_type_unsupported: { status: 415, title: 'The content type is not supported', retryable: false },
  internal: { status: 500, title: 'The service has failed', retryable: true },
} as const satisfies Record<string, ProblemKind>

/** An error that is answered as application/problem+json. */
export class ServiceProblem extends Error {
  readonly problem: Problem
  readonly retryAfterSeconds: number | undefined

  constructor(
    code: string,
    kind: ProblemKind,
    detail: string,
    more: { field?: string; serverTime?: string; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause })
    this.name = 'ServiceProblem'
    this.retryAfterSeconds = kind.retryAfterSeconds
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

/** Any error as the problem to answer with. What is not known is `internal`, and tells the client nothing of the inside. */
export function toServiceProblem(error: unknown): ServiceProblem {
  if (error instanceof ServiceProblem) return error
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string }
  const detail = message ?? ''
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return common('body_too_large', 'The body is larger than this route takes.', error)
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return common(
        'media_type_unsupported',
        'This route does not take that Content-Type; /docs says which it takes.',
        error,
      )
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return common('bad_request', 'The body is not as long as Content-Length says.', error)
  }
  if (statusCode === 408) return common('request_timeout', detail, error)
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return common('bad_request', detail, error)
  return common('internal', 'An unexpected error. It is in the log of the service, under this request id.', error)
}

function common(code: keyof typeof commonProblems, detail: string, cause: unknown): ServiceProblem {
  return new ServiceProblem(code, commonProblems[code], detail, { cause })
}
