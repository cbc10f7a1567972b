import { balanceStatus } from '@clicktally/database/known-through.ts'
import { plural } from './letters/letter-totals.ts'
import { formatMoment } from './moment.ts'
import type { LedgerState } from './queries/ledger-state.ts'
import type { BrokerView } from './system/broker-view.ts'

export interface Verdict {
  /**
   * | state     | when                                                                                        |
   * |-----------|---------------------------------------------------------------------------------------------|
   * | settled   | every accepted click has been processed                                                     |
   * | in_flight | some have not been processed yet                                                            |
   * | overdue   | later clicks were processed over a minute ago, but a processor may still hold these         |
   * | lost      | overdue, and the broker holds no message that could contain them                            |
   * | not_known | the ledger does not know yet what was accepted in the last seconds                          |
   * | broken    | the ledger or the counters do not add up                                                    |
   */
  readonly state: 'settled' | 'in_flight' | 'overdue' | 'lost' | 'not_known' | 'broken'
  readonly words: string
}

/** @param broker what the broker holds, or why this is unknown */
export function judge(state: LedgerState, broker: BrokerView | string): Verdict {
  const broken = brokenEquations(state)
  if (broken.length > 0) return { state: 'broken', words: `BROKEN: ${broken.join('; ')}` }
  const { overdue, inFlight } = state
  if (overdue > 0 && typeof broker !== 'string' && broker.ready + broker.unacknowledged + broker.dead === 0) {
    return { state: 'lost', words: `LOST: ${plural(overdue, 'click')}; the broker holds no more messages` }
  }
  if (overdue > 0) {
    const words = `OVERDUE: ${plural(overdue, 'click')} should have been processed over a minute ago; a processor that hangs may still hold them`
    return { state: 'overdue', words }
  }
  if (balanceStatus(state) !== 'current') return { state: 'not_known', words: notKnown(state) }
  if (inFlight > 0) return { state: 'in_flight', words: `in flight: ${plural(inFlight, 'click')}, none overdue` }
  return { state: 'settled', words: 'settled: every accepted click has been processed' }
}

function notKnown({ knownThrough }: LedgerState): string {
  if (knownThrough === null)
    return 'UNKNOWN: no processor has ever reported, so recently accepted clicks are not included'
  return (
    `UNKNOWN since ${formatMoment(knownThrough)}: later clicks may wait in a queue that processors cannot reach or do not ` +
    'keep up with'
  )
}

function brokenEquations(state: LedgerState): string[] {
  const { accepted, counted, duplicates, dead, discarded, inFlight, counters } = state
  const ends = counted + duplicates + dead + discarded + inFlight
  const broken: string[] = []
  if (accepted !== ends) broken.push(`accepted is ${accepted}, but its parts add up to ${ends}`)
  if (inFlight < 0) broken.push(`${-inFlight} more clicks were processed than accepted`)
  if (counted !== counters) {
    broken.push(
      `${counted} were counted, but the counters add up to ${counters}: "verify" shows where, "rebuild" repairs them`,
    )
  }
  return broken
}
