import { type BucketWidth, bucketWidths, ceilToBucket, floorToBucket } from '@clicktally/database/counter-buckets.ts'
import { type FoldBacklog, readFoldBacklog } from '@clicktally/database/fold-backlog.ts'
import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql, type Transaction } from 'kysely'
import { besideClicks, besideThoseBelow, type Comparison } from '../queries/counters/counter-comparisons.ts'
import { type Compared, type CounterDifference, counterDifferences } from '../queries/counters/counter-differences.ts'
import { countingRange } from '../queries/counters/counting-range.ts'
import { keptBuckets } from '../queries/counters/kept-buckets.ts'
import {
  type ProjectHorizon,
  projectHorizons,
  type RawClicksHorizon,
  rawClicksHorizon,
} from '../queries/raw-clicks-horizon.ts'

export interface VerifyOptions {
  /** Whole minutes, half-open. Undefined: unbounded. */
  readonly from: Date | undefined
  readonly to: Date | undefined
  /** Called with the number of clicks compared so far, and the approximate total. */
  readonly onProgress: (clicks: number, of: number) => void
  readonly onDifference: (difference: CounterDifference) => void | Promise<void>
  /** Milliseconds after which a slice of more than one bucket is divided. */
  readonly giveUpAfterMs?: number
}

export interface Verification {
  readonly clicks: number
  /** Minute counters of targets. */
  readonly counters: number
  readonly differences: number
  /** False if minutes differ from the clicks; coarser buckets were then not compared. */
  readonly isWhole: boolean
  /** The compared range; null if there was nothing to compare. */
  readonly from: Date | null
  readonly to: Date | null
  readonly folding: FoldBacklog
  /** Counters before its `completeSince` were skipped; null if none were. */
  readonly horizon: RawClicksHorizon | null
  /** The same for projects. */
  readonly projectHorizons: readonly ProjectHorizon[]
}

interface Range {
  readonly fromMs: number
  readonly toMs: number
}

const minuteMs = 60_000
const dayMs = 86_400_000
/** Approximate length of a time slice compared by one statement, to limit the server's memory and to show progress. */
const quickMs = 500
const slowMs = 3_000
/** A slice that takes longer is divided, down to a single bucket, which has a higher limit. */
const defaultGiveUpAfterMs = 30_000
const giveUpBucketAfterMs = 600_000
const firstSliceMs = 60 * minuteMs
const longestSliceMs = 30 * dayMs

/**
 * Recomputes the counters from the raw clicks and compares them, one time slice after the other, all in the same snapshot. It is
 * exact even while clicks arrive, because a click and its counter become visible together.
 *
 * If the minutes are right, coarser buckets are compared with the buckets that they were rolled up from. Skips buckets that start
 * before the raw-click horizon, because their minutes cannot be verified.
 */
export async function verifyCounters(db: Kysely<Tables>, options: VerifyOptions): Promise<Verification> {
  const { from, to, onProgress, giveUpAfterMs = defaultGiveUpAfterMs } = options
  return await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (snapshot) => {
      // The consumer of the output may pause.
      await sql`set local idle_in_transaction_session_timeout = 0`.execute(snapshot)
      await sql`set local work_mem = '64MB'`.execute(snapshot)
      const horizon = await rawClicksHorizon(snapshot)
      const isCut = horizon !== undefined && (from === undefined || from < horizon.completeSince)
      const since = isCut ? horizon.completeSince : from
      const range = await countingRange(snapshot, since, to)
      onProgress(0, range.clicks)
      const sum = { clicks: 0, counters: 0, differences: 0 }
      const onDifference = (difference: CounterDifference) => {
        sum.differences += 1
        return options.onDifference(difference)
      }
      const compare = (comparison: Comparison, slowAfterMs: number) =>
        compareSlice(snapshot, comparison, slowAfterMs, onDifference)
      const minutes = rangeOf(range.from, range.to)
      for await (const { clicks, counters } of inSlices('minute', minutes, besideClicks, giveUpAfterMs, compare)) {
        sum.clicks += clicks
        sum.counters += counters
        onProgress(sum.clicks, range.clicks)
      }
      const isWhole = sum.differences === 0
      if (isWhole) {
        for (const width of bucketWidths) {
          const bounds = { from: since, to, isFromWhole: isCut }
          const buckets = await wholeBuckets(snapshot, width, bounds, minutes)
          const sides = (from: Date, to: Date) => besideThoseBelow(width, from, to)
          for await (const _ of inSlices(width, buckets, sides, giveUpAfterMs, compare))
            onProgress(sum.clicks, range.clicks)
        }
      }
      const folding = await readFoldBacklog(snapshot)
      const ofProjects = (await projectHorizons(snapshot)).filter(
        ({ completeSince }) => range.from !== null && range.from < completeSince,
      )
      const horizons = { horizon: isCut ? horizon : null, projectHorizons: ofProjects }
      return { ...sum, isWhole, from: range.from, to: range.to, folding, ...horizons }
    })
}

function rangeOf(from: Date | null, to: Date | null): Range | undefined {
  return from === null || to === null ? undefined : { fromMs: from.getTime(), toMs: to.getTime() }
}

/**
 * Returns the buckets of this width that contain minutes of the range, or that have counters in it.
 *
 * @param bounds `isFromWhole` excludes a bucket that starts before `from`
 */
async function wholeBuckets(
  snapshot: Transaction<Tables>,
  width: BucketWidth,
  { from, to, isFromWhole }: Pick<VerifyOptions, 'from' | 'to'> & { readonly isFromWhole: boolean },
  minutes: Range | undefined,
): Promise<Range | undefined> {
  const startOf = isFromWhole ? ceilToBucket : floorToBucket
  const bounds = {
    from: from && new Date(startOf(from.getTime(), width)),
    to: to && new Date(ceilToBucket(to.getTime(), width)),
  }
  const { first, last } = await keptBuckets(snapshot, width, bounds.from, bounds.to)
  const fromMs = Math.min(minutes?.fromMs ?? Infinity, first?.getTime() ?? Infinity)
  const toMs = Math.max(minutes?.toMs ?? -Infinity, last === null ? -Infinity : last.getTime() + 1)
  const buckets = {
    fromMs: Math.max(floorToBucket(fromMs, width), bounds.from?.getTime() ?? -Infinity),
    toMs: ceilToBucket(toMs, width),
  }
  return buckets.fromMs < buckets.toMs ? buckets : undefined
}

/** Compares one slice of whole buckets after the other, and yields the result of each. */
async function* inSlices(
  width: BucketWidth,
  range: Range | undefined,
  sidesOf: (from: Date, to: Date) => Comparison,
  giveUpAfterMs: number,
  compare: (comparison: Comparison, slowAfterMs: number) => Promise<Compared | 'too_slow'>,
): AsyncGenerator<Compared> {
  if (range === undefined) return
  let sliceMs = firstSliceMs
  for (let atMs = range.fromMs; atMs < range.toMs; ) {
    const oneBucketMs = ceilToBucket(atMs + 1, width)
    const endMs = Math.min(Math.max(oneBucketMs, floorToBucket(atMs + sliceMs, width)), range.toMs)
    const startedAtMs = performance.now()
    const slowAfterMs = endMs <= oneBucketMs ? giveUpBucketAfterMs : giveUpAfterMs
    const compared = await compare(sidesOf(new Date(atMs), new Date(endMs)), slowAfterMs)
    if (compared === 'too_slow') {
      sliceMs = (endMs - atMs) / 4
      continue
    }
    yield compared
    atMs = endMs
    const tookMs = performance.now() - startedAtMs
    if (tookMs < quickMs) sliceMs = Math.min(longestSliceMs, sliceMs * 2)
    else if (tookMs > slowMs) sliceMs /= 2
  }
}

/**
 * Uses a savepoint: an error would otherwise end the transaction, and with it the snapshot.
 *
 * @throws 57014 if a single bucket takes too long
 */
async function compareSlice(
  snapshot: Transaction<Tables>,
  comparison: Comparison,
  slowAfterMs: number,
  onDifference: VerifyOptions['onDifference'],
): Promise<Compared | 'too_slow'> {
  await sql`savepoint slice`.execute(snapshot)
  try {
    return await counterDifferences(snapshot, comparison, slowAfterMs, onDifference)
  } catch (error) {
    if (sqlStateOf(error) !== '57014' || slowAfterMs === giveUpBucketAfterMs) throw error
    await sql`rollback to savepoint slice`.execute(snapshot)
    return 'too_slow'
  } finally {
    await sql`release savepoint slice`.execute(snapshot).catch(() => {})
  }
}
