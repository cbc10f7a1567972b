import type { GroupCounts } from '@clicktally/columns/group-counts.ts'
import { addSums } from '@clicktally/columns/sums.ts'
import { ceilToBucket, floorToBucket } from '@clicktally/database/counter-buckets.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Piece } from '../time/bucket-pieces.ts'

/** Days and months that are read as sums, and the rest of a range. Milliseconds since 1970. */
export interface SummedPeriods {
  readonly months: readonly number[]
  readonly days: readonly number[]
  readonly rest: readonly Piece[]
}

/** The sums that there are: those of days, by their first and last day, and which of days and months must not be used. */
export interface KnownSums {
  /** Milliseconds since 1970; null if there are none. */
  readonly firstDayMs: number | null
  readonly lastDayMs: number | null
  readonly stale: readonly (readonly [width: 'day' | 'month', startMs: number])[] | null
}

/** KnownSums, as a value in a statement. */
export function knownSums(projectId: number): RawBuilder<KnownSums> {
  return sql<KnownSums>`(
    select json_build_object(
      'firstDayMs', date_part('epoch', min(start)) * 1000, 'lastDayMs', date_part('epoch', max(start)) * 1000,
      'stale', (
        select json_agg(json_build_array(width, date_part('epoch', start) * 1000)) from stale_sums
        where project_id = ${projectId}))
    from dimension_sums where project_id = ${projectId} and dimension = 'target' and width = 'day')`
}

/**
 * Splits a range into whole months and days whose sums are complete, and the rest.
 *
 * @param unpackedHours whose columns must not be used: nor the sums of their day and month
 */
export function splitIntoSums(
  { firstDayMs, lastDayMs, stale: staleSums }: KnownSums,
  range: Piece,
  unpackedHours: readonly number[],
): SummedPeriods {
  if (firstDayMs === null || lastDayMs === null) return { months: [], days: [], rest: [range] }
  const known = { fromMs: floorToBucket(firstDayMs, 'month'), toMs: ceilToBucket(lastDayMs + 1, 'month') }
  const stale = new Set((staleSums ?? []).map(([width, startMs]) => `${width} ${startMs}`))
  for (const hour of unpackedHours)
    for (const width of ['day', 'month'] as const) stale.add(`${width} ${floorToBucket(hour, width)}`)
  const periods = { month: [] as number[], day: [] as number[] }
  let rest: Piece[] = [range]
  for (const width of ['month', 'day'] as const) {
    rest = rest.flatMap(({ fromMs, toMs }) => {
      const left: { fromMs: number; toMs: number }[] = []
      const firstMs = ceilToBucket(Math.max(fromMs, known.fromMs), width)
      const lastMs = floorToBucket(Math.min(toMs, known.toMs), width)
      if (firstMs >= lastMs) return [{ fromMs, toMs }]
      addPiece(left, fromMs, firstMs)
      for (let startMs = firstMs, endMs = firstMs; startMs < lastMs; startMs = endMs) {
        endMs = ceilToBucket(startMs + 1, width)
        if (stale.has(`${width} ${startMs}`)) addPiece(left, startMs, endMs)
        else periods[width].push(startMs)
      }
      addPiece(left, lastMs, toMs)
      return left
    })
  }
  return { months: periods.month, days: periods.day, rest }
}

/** Adds the sums of these periods. @throws the database error */
export async function addPeriods(
  db: Kysely<Tables>,
  projectId: number,
  dimension: string,
  { months, days }: SummedPeriods,
  counts: GroupCounts,
): Promise<void> {
  const starts = (times: readonly number[]) => times.map((time) => new Date(time).toISOString())
  const { rows } = await sql<{ data: Buffer }>`
    select data from dimension_sums
    where project_id = ${projectId} and dimension = ${dimension}
      and (width = 'month' and start = any(${starts(months)}::timestamptz[])
        or width = 'day' and start = any(${starts(days)}::timestamptz[]))`.execute(db)
  for (const { data } of rows) addSums(data, counts)
}

/** Appends a piece, or extends the last one. */
function addPiece(pieces: { fromMs: number; toMs: number }[], fromMs: number, toMs: number): void {
  const last = pieces.at(-1)
  if (fromMs >= toMs) return
  if (last?.toMs === fromMs) last.toMs = toMs
  else pieces.push({ fromMs, toMs })
}
