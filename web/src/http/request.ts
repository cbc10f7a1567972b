/** A response other than 2xx, or none at all. `message` is for people and says what to do. */
export class RequestProblem extends Error {
  /** 0 if there was no response. */
  readonly status: number
  /** The stable code of the API, such as `session_expired`, or `unreachable`. */
  readonly code: string
  readonly retryAfterSeconds: number | undefined

  constructor(status: number, code: string, message: string, retryAfterSeconds?: number) {
    super(message)
    this.status = status
    this.code = code
    this.retryAfterSeconds = retryAfterSeconds
  }
}

export interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Sent as JSON. */
  readonly body?: object
  readonly signal?: AbortSignal
}

/** Longer than nginx waits for a service. */
const timeoutMs = 10_000

let bearer: string | undefined

/** Sends this key with each request from now on, instead of the session's cookie. */
export function useKey(key: string): void {
  bearer = key
}

/** The header that authorizes requests, if they do not use the session's cookie. */
export function bearerHeader(): Record<string, string> {
  return bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }
}

/**
 * Sends a request to the API.
 *
 * @returns the JSON of the response, or undefined if it has no content
 * @throws {RequestProblem} or the signal's reason
 */
export async function request<Answer>(url: string, options: RequestOptions = {}): Promise<Answer> {
  const { method = 'GET', body, signal } = options
  const timeout = AbortSignal.timeout(timeoutMs)
  let response: Response
  try {
    response = await fetch(url, {
      method,
      headers: {
        accept: 'application/json',
        ...bearerHeader(),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    })
    if (response.status === 204) return undefined as Answer
    if (response.ok) return (await response.json()) as Answer
  } catch (error) {
    signal?.throwIfAborted()
    throw new RequestProblem(0, 'unreachable', describeFailure(error))
  }
  throw await problemOf(response)
}

function describeFailure(error: unknown): string {
  return error instanceof DOMException && error.name === 'TimeoutError'
    ? 'The server did not answer within 10 seconds. It may be busy or starting.'
    : 'The server cannot be reached. Check that Clicktally runs, and your network.'
}

async function problemOf(response: Response): Promise<RequestProblem> {
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN)
  const { code = 'unknown', title = `Status ${response.status}`, detail = '' } = await response.json().catch(() => ({}))
  return new RequestProblem(response.status, code, detail || title, Number.isNaN(retryAfter) ? undefined : retryAfter)
}
