const minuteMs = 60_000

/** What an owner wants to be told. Times are in milliseconds since 1970, and whole minutes. */
export interface Threshold {
  /** Clicks by people in the window that are enough. Undefined: told when there are none. */
  readonly clicks: number | undefined
  readonly windowMinutes: number
  /** Minutes before this time do not count. */
  readonly startsAtMs: number
}

/** What is known of a threshold between two judgements. */
export interface ThresholdState {
  /** Minutes that ended by this time have been judged. */
  readonly judgedThroughMs: number
  /** The end of the window that was told last. Undefined: the next window that meets the condition is told. */
  readonly metAtMs: number | undefined
}

/** A window that meets the condition and is to be told. */
export interface Crossing {
  /** End of the window, exclusive. */
  readonly endMs: number
  readonly clicks: number
}

/**
 * Judges each minute that has ended, once and in order: the window of a minute ends with it. So the result does not depend on how
 * often, or when, this is called.
 *
 * A crossing is told once. The next one is told after a window that does not meet the condition; for a number of clicks, that
 * window must also have no minute in common with the one that was told, so that counts around the number are not told again and
 * again.
 *
 * @param throughMs a whole minute: the end of the last minute to judge
 * @param clicksIn clicks by people in the minute that begins at this time
 */
export function judge(
  { clicks: enough, windowMinutes, startsAtMs }: Threshold,
  { judgedThroughMs, metAtMs }: ThresholdState,
  throughMs: number,
  clicksIn: (minuteMs: number) => number,
): { readonly state: ThresholdState; readonly crossings: readonly Crossing[] } {
  const windowMs = windowMinutes * minuteMs
  const count = (atMs: number) => (atMs < startsAtMs ? 0 : clicksIn(atMs))
  const crossings: Crossing[] = []
  let clicks = 0
  for (let atMs = judgedThroughMs + minuteMs - windowMs; atMs < judgedThroughMs; atMs += minuteMs) clicks += count(atMs)
  let endMs = judgedThroughMs
  while (endMs < throughMs) {
    clicks += count(endMs)
    endMs += minuteMs
    const isMet = enough === undefined ? clicks === 0 && endMs - windowMs >= startsAtMs : clicks >= enough
    const mayForget = enough === undefined || endMs >= (metAtMs ?? endMs) + windowMs
    if (isMet && metAtMs === undefined) {
      crossings.push({ endMs, clicks })
      metAtMs = endMs
    } else if (!isMet && mayForget) metAtMs = undefined
    clicks -= count(endMs - windowMs)
  }
  return { state: { judgedThroughMs: endMs, metAtMs }, crossings }
}
