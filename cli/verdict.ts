import { balanceStatus } from '@clicktally/database/known-through.ts'
import type { BrokerView } from './broker-view.ts'
import { plural } from './letter-totals.ts'
import { formatMoment } from './moment.ts'
import type { LedgerState } from './queries/ledger-state.ts'

export interface Verdict {
  /**
   * | state     | when                                                                                        |
   * |-----------|---------------------------------------------------------------------------------------------|
   * | settled   | every accepted click is at its end                                                          |
   * | in_flight | some are on their way                                                                       |
   * | overdue   | later ones came through over a minute ago, and somebody may still hold these                |
   * | lost      | overdue, and the broker holds no message that could bring them                              |
   * | not_known | the ledger has not heard of what was accepted in the last seconds, so "none in flight" says little |
   * | broken    | the ledger's sums, or the counters, do not add up                                           |
   */
  readonly state: 'settled' | 'in_flight' | 'overdue' | 'lost' | 'not_known' | 'broken'
  readonly words: string
}

/** @param broker what it holds, or why that is not known. */
export function judge(state: LedgerState, broker: BrokerView | string): Verdict {
  const broken = brokenEquations(state)
  if (broken.length > 0) return { state: 'broken', words: `BROKEN: ${broken.join('; ')}` }
  const { overdue, inFlight } = state
  if (overdue > 0 && typeof broker !== 'string' && broker.ready + broker.unacknowledged + broker.dead === 0) {
    return { state: 'lost', words: `LOST: ${plural(overdue, 'click')}, for the broker holds no message any more` }
  }
  if (overdue > 0) {
    const words = `OVERDUE: ${plural(overdue, 'click')} should have come through over a minute ago; a processor that hangs may still hold them`
    return { state: 'overdue', words }
  }
  if (balanceStatus(state) !== 'current') return { state: 'not_known', words: notKnown(state) }
  if (inFlight > 0)
    return { state: 'in_flight', words: `in flight: ${plural(inFlight, 'click')} on the way, none overdue` }
  return { state: 'settled', words: 'settled: every accepted click is at its end' }
}

function notKnown({ knownThrough }: LedgerState): string {
  if (knownThrough === null)
    return 'NOT KNOWN: no processor has ever reported, so nothing is known of clicks accepted lately'
  return (
    `NOT KNOWN since ${formatMoment(knownThrough)}: clicks accepted after that may wait in a queue that processors do ` +
    'not reach, or do not keep up with'
  )
}

function brokenEquations(state: LedgerState): string[] {
  const { accepted, counted, duplicates, dead, discarded, inFlight, counters } = state
  const ends = counted + duplicates + dead + discarded + inFlight
  const broken: string[] = []
  if (accepted !== ends) broken.push(`accepted is ${accepted}, but its parts make ${ends}`)
  if (inFlight < 0) broken.push(`${-inFlight} more came to an end than were accepted`)
  if (counted !== counters) {
    broken.push(`${counted} were counted, but the counters say ${counters}: "verify" shows where, "rebuild" mends them`)
  }
  return broken
}
