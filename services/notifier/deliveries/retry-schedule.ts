const secondMs = 1_000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs

/** Pauses after failed attempts, in milliseconds. Ten attempts within a day, as Standard Webhooks advises. */
export const retryPausesMs = [
  5 * secondMs,
  30 * secondMs,
  5 * minuteMs,
  30 * minuteMs,
  hourMs,
  2 * hourMs,
  4 * hourMs,
  8 * hourMs,
  8 * hourMs,
] as const

/** A receiver that names a time to wait is not believed beyond this. */
const maxRetryAfterMs = 8 * hourMs

/**
 * The pause before the next attempt, in milliseconds, or undefined if there is none. Up to a tenth longer or shorter, so that what
 * failed together is not repeated together.
 *
 * @param attempts that were made; 1 or more
 * @param retryAfterMs the least pause that the receiver asked for
 */
export function pauseAfter(attempts: number, retryAfterMs = 0, random = Math.random): number | undefined {
  const pauseMs = retryPausesMs[attempts - 1]
  if (pauseMs === undefined) return undefined
  return Math.max(Math.round(pauseMs * (0.9 + random() * 0.2)), Math.min(retryAfterMs, maxRetryAfterMs))
}
