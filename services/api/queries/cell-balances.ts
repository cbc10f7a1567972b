import { type Balance, readBalance } from '@clicktally/database/balance.ts'
import {
  type BalanceStatus,
  balanceStatus,
  type KnownThrough,
  readKnownThrough,
} from '@clicktally/database/known-through.ts'
import type { Cell } from '../cells/cell.ts'
import { inSnapshot } from './snapshot.ts'

/** The balance of a cell, or of several together. */
export interface KnownBalance extends Balance, Pick<KnownThrough, 'knownThrough'> {
  readonly status: BalanceStatus
}

/** Reads the balance of a cell in one snapshot. */
export async function cellBalance({ db }: Cell): Promise<KnownBalance> {
  return await inSnapshot(db, async (snapshot) => {
    const known = await readKnownThrough(snapshot)
    return { status: balanceStatus(known), knownThrough: known.knownThrough, ...(await readBalance(snapshot)) }
  })
}

/** From the best to the worst. */
const statuses = ['current', 'stale', 'unknown'] as const satisfies BalanceStatus[]

/**
 * The sum of the cells' balances, which is known up to when all of them are.
 *
 * @param balances of at least one cell
 */
export function sumOfBalances(balances: readonly KnownBalance[]): KnownBalance {
  return balances.reduce((sum, other) => ({
    status: statuses[Math.max(statuses.indexOf(sum.status), statuses.indexOf(other.status))] as BalanceStatus,
    knownThrough: earlier(sum.knownThrough, other.knownThrough),
    accepted: sum.accepted + other.accepted,
    counted: sum.counted + other.counted,
    duplicates: sum.duplicates + other.duplicates,
    dead: sum.dead + other.dead,
    discarded: sum.discarded + other.discarded,
    inFlight: sum.inFlight + other.inFlight,
    overdue: sum.overdue + other.overdue,
  }))
}

function earlier(one: Date | null, other: Date | null): Date | null {
  return one === null || other === null ? null : one < other ? one : other
}
