/** The outcome of a request. */
export interface Answer {
  /** The status code, or the reason why there is no response, such as `connection refused`. */
  outcome: string
  /** 0 without a response. */
  status: number
  body: string
  /**
   * Time of the response by the server's clock, in milliseconds since 1970, rounded up: the header has whole seconds, so it may
   * be up to 1 s later. By this machine's clock if the header is missing.
   */
  serverTimeMs: number
  /** 0 if the server did not ask for a pause. */
  retryAfterMs: number
}

const firstDelayMs = 200
const maxDelayMs = 5_000
/** Limits the pause that a server may ask for, since the total time for retries is only a few times as long. */
const maxRetryAfterMs = 30_000

const connectionOutcomes: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  UND_ERR_SOCKET: 'connection closed',
  ETIMEDOUT: 'connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'connection timed out',
  ENOTFOUND: 'host not found',
  EAI_AGAIN: 'host not found',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
}

/**
 * Sends a request. Network errors are returned, not thrown.
 *
 * @throws the signal's reason when the signal is aborted
 */
export async function ask(url: URL, request: RequestInit, signal: AbortSignal, timeoutMs: number): Promise<Answer> {
  signal.throwIfAborted()
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    // A redirect would turn the POST into a GET. The user has to provide the final URL.
    const response = await fetch(url, {
      ...request,
      redirect: 'manual',
      signal: AbortSignal.any([signal, timeout]),
    })
    return {
      outcome: String(response.status),
      status: response.status,
      body: await response.text(),
      serverTimeMs: (Date.parse(response.headers.get('date') ?? '') || Date.now()) + 1000,
      retryAfterMs: retryAfterMs(response.headers.get('retry-after')),
    }
  } catch (error) {
    signal.throwIfAborted()
    const outcome = timeout.aborted ? `no answer in ${timeoutMs / 1000} s` : connectionOutcome(error)
    return { outcome, status: 0, body: '', serverTimeMs: Date.now(), retryAfterMs: 0 }
  }
}

/** Whether the same request may succeed later: without a response, and for 408, 429 and 5xx. */
export function mayRetry({ status }: Answer): boolean {
  return status === 0 || status === 408 || status === 429 || status >= 500
}

/** Pause before attempt number `tries + 1`: exponential backoff up to 5 s with jitter, at least what the server asked for. */
export function retryDelayMs(tries: number, answer: Answer): number {
  const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** (tries - 1))
  return Math.max(delayMs * (0.75 + Math.random() / 2), answer.retryAfterMs)
}

/** Parses a response that is a JSON object; undefined for any other body. */
export function jsonObject(answer: Answer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(answer.body)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Describes a response for an error message: `404 not_found: There is no such route` or `connection refused`. */
export function describeAnswer(answer: Answer): string {
  const { code, detail, title } = jsonObject(answer) ?? {}
  const words = typeof detail === 'string' ? detail : title
  return [
    answer.outcome,
    typeof code === 'string' ? ` ${code}` : '',
    typeof words === 'string' ? `: ${words}` : '',
  ].join('')
}

function connectionOutcome(error: unknown): string {
  // fetch() wraps the cause in "TypeError: fetch failed".
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const { code, message } = cause as NodeJS.ErrnoException
  return connectionOutcomes[code ?? ''] ?? code ?? message
}

function retryAfterMs(header: string | null): number {
  if (header === null) return 0
  const seconds = Number(header)
  const waitMs = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000
  return Math.min(maxRetryAfterMs, Math.max(0, waitMs || 0))
}
