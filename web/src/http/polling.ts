import { useEffect, useState } from 'preact/hooks'
import { endSession } from '../state/session.ts'
import { type RequestOptions, RequestProblem, request } from './request.ts'

/** What the latest requests to a URL brought. */
export interface Polled<Answer> {
  /** The latest answer. It stays while a request fails, and while the first request to a new URL is in progress. */
  readonly data: Answer | undefined
  /** `data`, unless it is about another scope: what is compared must be about the same. */
  readonly current: Answer | undefined
  /** Why the latest request failed. */
  readonly problem: RequestProblem | undefined
  /** Whether `data` is the answer to an earlier URL. */
  readonly isOutdated: boolean
  /** When `data` arrived, by this machine's clock. */
  readonly receivedAtMs: number
}

const longestPauseMs = 30_000
/** nginx answers from its cache for as long. */
const refreshPauseMs = 1_000
/** Of the time, at most a fourth is spent on answering a question that takes long. */
const pausesPerRequest = 3
/** Polls with a longer pause are not refreshed in between. */
const longestLivePauseMs = 2_000

const livePolls = new Set<() => void>()
let refreshing = false

/** Clicks were counted: polls with a short pause ask again, at most once a second. */
export function refreshCounts(): void {
  if (refreshing) return
  refreshing = true
  setTimeout(() => {
    refreshing = false
    for (const poll of livePolls) poll()
  }, refreshPauseMs)
}

/**
 * Requests a URL again and again while the page is visible, with a pause after each answer. Failed requests are retried after a
 * pause that doubles, up to 30 seconds.
 *
 * @param url undefined: no request
 * @param scope what the URL asks about. Unlike the URL it stays the same as time passes
 * @param read sends the request. The URL says all that it depends on
 */
export function usePolled<Answer>(
  url: string | undefined,
  pauseMs: number,
  scope = '',
  read: (url: string, options: RequestOptions) => Promise<Answer> = request,
): Polled<Answer> {
  const [{ scope: answered, ...state }, setState] = useState<
    Omit<Polled<Answer>, 'current'> & { readonly scope: string }
  >({
    data: undefined,
    problem: undefined,
    isOutdated: false,
    receivedAtMs: 0,
    scope,
  })
  useEffect(() => {
    if (url === undefined) return
    setState((last) => ({ ...last, isOutdated: last.data !== undefined }))
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    let isRunning = false
    let nextPauseMs = pauseMs
    const poll = async () => {
      clearTimeout(timer)
      if (isRunning || document.hidden) return
      isRunning = true
      const startMs = Date.now()
      try {
        const data = await read(url, { signal: abort.signal })
        abort.signal.throwIfAborted()
        setState({ data, problem: undefined, isOutdated: false, receivedAtMs: Date.now(), scope })
        nextPauseMs = Math.max(pauseMs, pausesPerRequest * (Date.now() - startMs))
      } catch (error) {
        if (abort.signal.aborted) return
        if (!(error instanceof RequestProblem)) throw error
        if (error.status === 401) endSession()
        setState((last) => ({ ...last, problem: error }))
        nextPauseMs = Math.min(Math.max(nextPauseMs * 2, 1_000), longestPauseMs)
      } finally {
        isRunning = false
      }
      timer = setTimeout(poll, nextPauseMs)
    }
    const wake = () => void poll()
    document.addEventListener('visibilitychange', wake)
    window.addEventListener('online', wake)
    if (pauseMs <= longestLivePauseMs) livePolls.add(wake)
    void poll()
    return () => {
      abort.abort()
      clearTimeout(timer)
      livePolls.delete(wake)
      document.removeEventListener('visibilitychange', wake)
      window.removeEventListener('online', wake)
    }
  }, [url, pauseMs, scope])
  return { ...state, current: answered === scope ? state.data : undefined }
}
