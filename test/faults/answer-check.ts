import type { AcceptLog } from './accept-log.ts'

/** What an answer of the api says about some clicks. */
export interface Claim {
  /** Undefined: about all clicks of the row. */
  readonly targets: readonly string[] | undefined
  /** Clicks, of all these targets together. */
  readonly counted: number
}

/** An answer with `meta.asOf`, and what it claims. Times are milliseconds since 1970 by this machine's clock. */
export interface Answer {
  /** `counts` are owed only the clicks that can be counted; the balance knows of dead letters, too. */
  readonly kind: 'counts' | 'balance'
  /** What was asked and where, for whoever reads about a lie. */
  readonly question: string
  readonly asOfMs: number
  readonly receivedAtMs: number
  readonly claims: readonly Claim[]
}

/** How an answer is wrong; 0 and 0 for one that is not. */
export interface Untruth {
  /** Clicks that were answered 202 before `asOf` and are not in the answer. */
  readonly missing: number
  /** How far `asOf` was in the future when the answer arrived, in milliseconds. */
  readonly aheadMs: number
}

/** The clocks of JavaScript and PostgreSQL are the same one here, but each cuts off parts of a millisecond. */
const clockGrainMs = 5

/**
 * Holds an answer to the api's word: what was accepted before `meta.asOf` is in it.
 *
 * Both times are cut to whole milliseconds: a 202 that arrived in the millisecond of `asOf` may have come after it, and is not
 * owed. Clicks that are in the answer though they were accepted later can hide missing ones only within one claim: claims
 * about few clicks hide little.
 */
export function checkAnswer(log: AcceptLog, { asOfMs, receivedAtMs, claims }: Answer): Untruth {
  const missing = claims.reduce(
    (sum, { targets, counted }) => sum + Math.max(0, log.acceptedBefore(asOfMs, targets) - counted),
    0,
  )
  const aheadMs = asOfMs - receivedAtMs
  return { missing, aheadMs: aheadMs > clockGrainMs ? aheadMs : 0 }
}

export function isLie({ missing, aheadMs }: Untruth): boolean {
  return missing > 0 || aheadMs > 0
}

/** One sentence about a lie. */
export function describeLie({ question, asOfMs, receivedAtMs }: Answer, { missing, aheadMs }: Untruth): string {
  const asOf = new Date(asOfMs).toISOString()
  const future = aheadMs > 0 ? `, ${aheadMs} ms in the future` : `, ${receivedAtMs - asOfMs} ms old`
  return `${question} answered asOf ${asOf}${future}, and ${missing} clicks accepted before it were missing`
}
