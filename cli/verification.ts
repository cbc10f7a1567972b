import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql, type Transaction } from 'kysely'
import { type CounterDifference, counterDifferences } from './queries/counter-differences.ts'
import { countingRange } from './queries/counting-range.ts'

export interface VerifyOptions {
  /** Whole minutes, half-open. Undefined: from the first, to the last that there is. */
  readonly from: Date | undefined
  readonly to: Date | undefined
  /** Told how many clicks are compared, and of about how many. */
  readonly onProgress: (clicks: number, of: number) => void
  readonly onDifference: (difference: CounterDifference) => void | Promise<void>
  /** Milliseconds after which a slice of more than a minute is cut into smaller ones. */
  readonly giveUpAfterMs?: number
}

export interface Verification {
  readonly clicks: number
  readonly counters: number
  readonly differences: number
  /** What was compared; null where there was nothing. */
  readonly from: Date | null
  readonly to: Date | null
}

const minuteMs = 60_000
const dayMs = 86_400_000
/** A slice of time is what one statement compares: about so long, for the sake of the server's memory and of progress. */
const quickMs = 500
const slowMs = 3_000
/** A slice that takes longer is cut into smaller ones. The smallest, a minute, may take as long as a minute may. */
const defaultGiveUpAfterMs = 30_000
const giveUpMinuteAfterMs = 600_000
const firstSliceMs = 60 * minuteMs
const longestSliceMs = 30 * dayMs

/**
 * Recomputes the counters from the raw clicks and compares, slice by slice of time, all within one snapshot: exact while
 * clicks arrive, for a click and its counter appear together.
 */
export async function verifyCounters(db: Kysely<Tables>, options: VerifyOptions): Promise<Verification> {
  return await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (snapshot) => {
      // Whoever reads our output may take a rest.
      await sql`set local idle_in_transaction_session_timeout = 0`.execute(snapshot)
      await sql`set local work_mem = '64MB'`.execute(snapshot)
      const range = await countingRange(snapshot, options.from, options.to)
      options.onProgress(0, range.clicks)
      const sum = { clicks: 0, counters: 0, differences: 0 }
      if (range.from === null || range.to === null) return { ...sum, from: null, to: null }
      const onDifference = (difference: CounterDifference) => {
        sum.differences += 1
        return options.onDifference(difference)
      }
      let sliceMs = firstSliceMs
      for (let atMs = range.from.getTime(); atMs < range.to.getTime(); ) {
        const endMs = Math.min(atMs + sliceMs, range.to.getTime())
        const startedAtMs = performance.now()
        const isMinute = endMs - atMs <= minuteMs
        const slowAfterMs = isMinute ? giveUpMinuteAfterMs : (options.giveUpAfterMs ?? defaultGiveUpAfterMs)
        const slice = { from: new Date(atMs), to: new Date(endMs), slowAfterMs }
        const compared = await compareSlice(snapshot, slice, onDifference)
        if (compared === 'too_slow') {
          sliceMs = wholeMinutes((endMs - atMs) / 4)
          continue
        }
        sum.clicks += compared.clicks
        sum.counters += compared.counters
        options.onProgress(sum.clicks, range.clicks)
        atMs = endMs
        const tookMs = performance.now() - startedAtMs
        if (tookMs < quickMs) sliceMs = Math.min(longestSliceMs, sliceMs * 2)
        else if (tookMs > slowMs) sliceMs = wholeMinutes(sliceMs / 2)
      }
      return { ...sum, from: range.from, to: range.to }
    })
}

function wholeMinutes(ms: number): number {
  return Math.max(minuteMs, Math.floor(ms / minuteMs) * minuteMs)
}

/** @throws 57014 where a single minute takes too long */
async function compareSlice(
  snapshot: Transaction<Tables>,
  slice: { from: Date; to: Date; slowAfterMs: number },
  onDifference: VerifyOptions['onDifference'],
) {
  // An error would end the transaction, and with it the snapshot; so it only takes us back to here.
  await sql`savepoint slice`.execute(snapshot)
  try {
    return await counterDifferences(snapshot, slice, onDifference)
  } catch (error) {
    if (sqlStateOf(error) !== '57014' || slice.to.getTime() - slice.from.getTime() <= minuteMs) throw error
    await sql`rollback to savepoint slice`.execute(snapshot)
    return 'too_slow'
  } finally {
    await sql`release savepoint slice`.execute(snapshot).catch(() => {})
  }
}
