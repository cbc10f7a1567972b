/**
 * | state   | meaning                                                        |
 * |---------|----------------------------------------------------------------|
 * | ok      | as it should be                                                |
 * | notice  | works, but will need attention                                 |
 * | problem | clicks are refused, counted late or at risk: act now           |
 * | unknown | could not be checked                                           |
 */
export type FindingState = 'ok' | 'notice' | 'problem' | 'unknown'

/** What one check found. */
export interface Finding {
  readonly check: string
  readonly state: FindingState
  readonly found: string
  /** What to do; absent where nothing needs to be done. */
  readonly advice?: string
}

/** @param advice given only if the state is not `ok` */
export function finding(check: string, state: FindingState, found: string, advice?: string): Finding {
  return { check, state, found, ...(state !== 'ok' && advice !== undefined && { advice }) }
}

/** The state for a value of which more is worse. */
export function grade(value: number, noticeAbove: number, problemAbove = Number.POSITIVE_INFINITY): FindingState {
  if (value > problemAbove) return 'problem'
  return value > noticeAbove ? 'notice' : 'ok'
}

/** Runs a group of checks. If it fails, that is its only finding, so that the other groups still run. */
export async function findings(check: string, run: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await run()
  } catch (error) {
    const { message, cause } = error as Error
    const reason = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : message
    return [finding(check, 'unknown', `could not be checked: ${reason || message}`)]
  }
}
