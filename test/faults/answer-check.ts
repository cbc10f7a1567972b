import type { AcceptLog } from './accept-log.ts'

/** A number of clicks in an answer of the api. */
export interface Claim {
  /** Undefined: all targets of the row. */
  readonly targets: readonly string[] | undefined
  /** Clicks on all these targets together. */
  readonly counted: number
}

/** An answer with `meta.asOf`. Times are milliseconds since 1970 by this machine's clock. */
export interface Answer {
  /** `counts` lack the dead letters; the balance includes them. */
  readonly kind: 'counts' | 'balance'
  /** Base URL and path, to be shown in a problem. */
  readonly request: string
  readonly asOfMs: number
  readonly receivedAtMs: number
  readonly claims: readonly Claim[]
}

/** How an answer is wrong; all 0 for a correct one. */
export interface AnswerError {
  /** Clicks that were answered with 202 before `asOf` and are not in the answer. */
  readonly missing: number
  /** How far `asOf` was in the future when the answer arrived, in milliseconds. */
  readonly aheadMs: number
}

/** JavaScript and PostgreSQL read the same clock here, but each rounds to milliseconds. */
const clockGrainMs = 5

/**
 * Checks that an answer contains every click accepted before its `meta.asOf`.
 *
 * Both times are rounded down to milliseconds: a 202 that arrived in the millisecond of `asOf` may have come after it, so its
 * click may be missing. An answer may also contain clicks accepted after `asOf`, which hide missing ones in the same claim.
 * Claims about few clicks hide few.
 */
export function checkAnswer(log: AcceptLog, { asOfMs, receivedAtMs, claims }: Answer): AnswerError {
  const missing = claims.reduce(
    (sum, { targets, counted }) => sum + Math.max(0, log.acceptedBefore(asOfMs, targets) - counted),
    0,
  )
  const aheadMs = asOfMs - receivedAtMs
  return { missing, aheadMs: aheadMs > clockGrainMs ? aheadMs : 0 }
}

export function isWrong({ missing, aheadMs }: AnswerError): boolean {
  return missing > 0 || aheadMs > 0
}

/** Describes a wrong answer in one sentence. */
export function describeError({ request, asOfMs, receivedAtMs }: Answer, { missing, aheadMs }: AnswerError): string {
  const asOf = new Date(asOfMs).toISOString()
  const future = aheadMs > 0 ? `, ${aheadMs} ms in the future` : `, ${receivedAtMs - asOfMs} ms old`
  return `${request} returned asOf ${asOf}${future}, but lacks ${missing} clicks accepted before it`
}
