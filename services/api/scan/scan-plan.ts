import { floorToBucket } from '@clicktally/database/counter-buckets.ts'
import { sql } from 'kysely'
import { problem } from '../errors.ts'
import { clicksIn } from '../queries/clicks-in-pieces.ts'
import type { RolledUpBefore } from '../queries/counter-state.ts'
import type { RawSnapshot } from '../queries/snapshot.ts'
import type { Piece } from '../time/bucket-pieces.ts'
import { type KnownSums, knownSums, type SummedPeriods, splitIntoSums } from './summed-periods.ts'

/** Takes a second or two, of which most is reading from the database. */
const maxClicks = 25_000_000
/** Reading a raw click takes about forty times as long as reading it from columns. */
const maxRawClicks = 1_000_000
const hourMs = 3_600_000

interface CountedRange {
  readonly projectId: number
  readonly range: Piece
  readonly rolledUpBefore: RolledUpBefore
}

/** Where the clicks of a range are read. */
export interface ScanPlan {
  /** Milliseconds since 1970; infinite if unbounded. */
  readonly range: Piece
  /** Starts of hours whose columns must not be used. */
  readonly unpackedHours: readonly number[]
  /** Days and months that are read as sums, and the pieces of which each click is read. */
  readonly periods: SummedPeriods
  /** The parts of the range in the unpacked hours. */
  readonly rawPieces: readonly Piece[]
  /** All clicks of the range, by the counters. */
  readonly clicks: number
}

/**
 * Decides where the clicks of a range are read. An hour's columns contain all of its clicks if it is not marked as stale and no
 * delta of it waits to be folded, in the same snapshot.
 *
 * @param props names of `props.` dimensions in question: hours that were packed without one of them are read from raw clicks
 * @param isRaw whether no columns may be used at all
 * @param isSum whether sums of all clicks by a dimension answer the question
 * @throws {ServiceProblem} question_too_large, columns_not_ready
 */
export async function planScan(
  { db, client }: RawSnapshot,
  { projectId, range, rolledUpBefore }: CountedRange,
  props: readonly string[],
  isRaw: boolean,
  isSum: boolean,
): Promise<ScanPlan> {
  const fromHourMs = floorToBucket(range.fromMs, 'hour')
  const within = (column: string) => {
    const start = sql.ref(column)
    const bounds = [sql`true`]
    if (Number.isFinite(fromHourMs)) bounds.push(sql`${start} >= ${new Date(fromHourMs)}`)
    if (Number.isFinite(range.toMs)) bounds.push(sql`${start} < ${new Date(range.toMs)}`)
    return sql.join(bounds, sql` and `)
  }
  const packedHours = sql`project_id = ${projectId} and part = 0 and dimension = 'target' and ${within('hour')}`
  // Only if the question needs it: PostgreSQL would read all names of columns, even for no props.
  const packedWithoutProp = sql`
      union
      select hour from click_columns as packed cross join unnest(${props}::text[]) as prop
      where ${packedHours} and not exists (
        select from click_columns as own
        where own.project_id = packed.project_id and own.hour = packed.hour and own.part = 0 and own.dimension = prop)`
  const everyPacked = sql`union select hour from click_columns where ${packedHours}`
  const { rows } = await sql<{ hours: number[] | null; sums: KnownSums | null }>`
    with unpacked as (
      select hour from stale_hours where project_id = ${projectId} and ${within('hour')}
      union
      select date_trunc('hour', minute, 'UTC') from counter_deltas where project_id = ${projectId} and ${within('minute')}
      ${props.length > 0 ? packedWithoutProp : sql``}
      ${isRaw ? everyPacked : sql``}
    )
    select
      (
        select json_agg(date_part('epoch', hour) * 1000 order by hour) from unpacked
        -- The raw clicks of earlier hours may be dropped.
        where hour >= (select complete_since from raw_clicks)
          and not exists (select from project_horizons where project_id = ${projectId} and hour < complete_since)
      ) as hours,
      ${isSum ? knownSums(projectId) : sql`null`} as sums`.execute(db)
  const { hours, sums = null } = rows[0] ?? {}
  const unpackedHours = hours ?? []
  const periods = sums === null ? { months: [], days: [], rest: [range] } : splitIntoSums(sums, range, unpackedHours)
  const rawPieces = joined(unpackedHours).map(({ fromMs, toMs }) => ({
    fromMs: Math.max(fromMs, range.fromMs),
    toMs: Math.min(toMs, range.toMs),
  }))
  const isShort = periods.rest.length === 1 && periods.rest[0] === range
  const scannedPieces = isShort ? [] : periods.rest
  const [clicks = 0, ...ofPieces] = await clicksIn(
    client,
    projectId,
    [range, ...scannedPieces, ...rawPieces],
    rolledUpBefore,
  )
  const scanned = isShort ? clicks : sumOf(ofPieces.slice(0, scannedPieces.length))
  if (scanned > maxClicks) throw tooLarge(scanned, range)
  const rawClicks = sumOf(ofPieces.slice(scannedPieces.length))
  if (rawClicks > maxRawClicks) {
    throw problem(
      'columns_not_ready',
      `${count(rawClicks)} clicks of the range are not prepared for this question yet; at most ${count(maxRawClicks)} can be read as they are. Hours are prepared some minutes after they end.`,
      'from',
    )
  }
  return { range, unpackedHours, periods, rawPieces, clicks }
}

/** Consecutive hours as one piece each. */
function joined(hours: readonly number[]): Piece[] {
  const pieces: { fromMs: number; toMs: number }[] = []
  for (const startMs of hours) {
    const last = pieces.at(-1)
    if (last?.toMs === startMs) last.toMs = startMs + hourMs
    else pieces.push({ fromMs: startMs, toMs: startMs + hourMs })
  }
  return pieces
}

function sumOf(clicks: readonly number[]): number {
  return clicks.reduce((sum, each) => sum + each, 0)
}

function tooLarge(clicks: number, { fromMs, toMs }: Piece) {
  const days = (toMs - fromMs) / 86_400_000
  const fits = Math.floor((days * maxClicks) / clicks)
  const hint = !Number.isFinite(days)
    ? 'Set "from" and "to".'
    : fits >= 1
      ? `At the same rate about ${fits} days fit.`
      : `At the same rate about ${Math.max(1, Math.floor((24 * days * maxClicks) / clicks))} hours fit.`
  return problem(
    'question_too_large',
    `The range has ${count(clicks)} clicks; by dimension at most ${count(maxClicks)} can be read. ${hint}`,
    'from',
  )
}

function count(clicks: number): string {
  return clicks.toLocaleString('en-US')
}
