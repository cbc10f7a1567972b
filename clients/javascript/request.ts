import { ClicktallyError } from './clicktally-error.ts'

/** The answer to a request. */
export interface Answer {
  /** 0 without an answer. */
  readonly status: number
  /** The JSON object of the body; undefined for any other body. */
  readonly body: Record<string, unknown> | undefined
  /** How long the server asks to wait, in milliseconds; 0 if it does not. */
  readonly retryAfterMs: number
}

const firstDelayMs = 200
const maxDelayMs = 30_000
/** So that a wrong header does not silence a client for days. */
const maxRetryAfterMs = 300_000

/**
 * Sends a request. A failed connection, a timeout and an abort are answers with status 0, not errors.
 *
 * @param timeoutMs for the whole answer
 */
export async function ask(
  url: URL,
  init: RequestInit,
  { fetch, timeoutMs, signal }: { fetch: typeof globalThis.fetch; timeoutMs: number; signal?: AbortSignal },
): Promise<Answer> {
  const abort = new AbortController()
  const stop = () => abort.abort()
  const timer = setTimeout(stop, timeoutMs)
  signal?.addEventListener('abort', stop)
  try {
    if (signal?.aborted) stop()
    // A redirect would turn a POST into a GET. In browsers such an answer has the status 0.
    const response = await fetch(url, { ...init, redirect: 'manual', signal: abort.signal })
    const text = await response.text()
    const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'))
    return { status: response.status, body: jsonObject(text), retryAfterMs }
  } catch {
    return { status: 0, body: undefined, retryAfterMs: 0 }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}

/** Whether the same request may succeed later: without an answer, and after 408, 429 and 5xx. */
export function mayRetry({ status }: Answer): boolean {
  return status === 0 || status === 408 || status === 429 || status >= 500
}

/** The pause after this many tries: exponential up to 30 s, with jitter, and at least what the server asks for. */
export function retryDelayMs(tries: number, { retryAfterMs }: Answer): number {
  const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** (tries - 1)) * (0.75 + Math.random() / 2)
  return Math.max(delayMs, retryAfterMs)
}

/** Resolves after this time, or when the signal is aborted. */
export async function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, delayMs)
    signal?.addEventListener('abort', end)
  })
}

/** The error of an answer that is not the expected one. */
export function errorOf(url: URL, answer: Answer): ClicktallyError {
  const { status, body } = answer
  const retryable = mayRetry(answer)
  if (status === 0) {
    return new ClicktallyError(`${url.origin} does not answer.`, { status, code: 'no_answer', retryable })
  }
  const { code, detail } = body ?? {}
  if (status < 400 || typeof code !== 'string') {
    const message = `${url.origin} does not answer as Clicktally: ${status} for ${url.pathname}.`
    return new ClicktallyError(message, { status, code: 'not_clicktally', retryable })
  }
  return new ClicktallyError(String(detail ?? code), { status, code, retryable })
}

/** So that paths are added to the address, not put in the place of its last part. */
export function baseUrl(url: string | URL): URL {
  const base = new URL(url)
  if (!base.pathname.endsWith('/')) base.pathname += '/'
  return base
}

function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function parseRetryAfter(header: string | null): number {
  if (header === null) return 0
  const seconds = Number(header)
  const waitMs = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1_000
  return Math.min(maxRetryAfterMs, Math.max(0, waitMs || 0))
}
