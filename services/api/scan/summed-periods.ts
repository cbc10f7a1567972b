import type { GroupCounts } from '@clicktally/columns/group-counts.ts'
import { addSums } from '@clicktally/columns/sums.ts'
import { ceilToBucket, floorToBucket } from '@clicktally/database/counter-buckets.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import type { Piece } from '../time/bucket-pieces.ts'

/** Days and months that are read as sums, and the rest of a range. Milliseconds since 1970. */
export interface SummedPeriods {
  readonly months: readonly number[]
  readonly days: readonly number[]
  readonly rest: readonly Piece[]
}

/**
 * Splits a range into whole months and days whose sums are complete, and the rest.
 *
 * @param unpackedHours whose columns must not be used: nor the sums of their day and month
 */
export async function splitIntoSums(
  db: Kysely<Tables>,
  projectId: number,
  range: Piece,
  unpackedHours: readonly number[],
): Promise<SummedPeriods> {
  const known = await knownSums(db, projectId)
  const stale = new Set(known.stale.map(([width, startMs]) => `${width} ${startMs}`))
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

interface KnownSums extends Piece {
  readonly stale: readonly (readonly [width: 'day' | 'month', startMs: number])[]
}

/** Between which times there are sums, rounded to months, and which must not be used. */
async function knownSums(db: Kysely<Tables>, projectId: number): Promise<KnownSums> {
  const { rows } = await sql<{ first: Date | null; last: Date | null; stale: KnownSums['stale'] | null }>`
    select
      min(start) as first, max(start) as last,
      (select json_agg(json_build_array(width, date_part('epoch', start) * 1000)) from stale_sums
        where project_id = ${projectId}) as stale
    from dimension_sums
    where project_id = ${projectId} and dimension = 'target' and width = 'day'`.execute(db)
  const { first = null, last = null, stale = null } = rows[0] ?? {}
  const isNone = first === null || last === null
  return {
    fromMs: isNone ? 0 : floorToBucket(first.getTime(), 'month'),
    toMs: isNone ? 0 : ceilToBucket(last.getTime() + 1, 'month'),
    stale: stale ?? [],
  }
}

/** Appends a piece, or extends the last one. */
function addPiece(pieces: { fromMs: number; toMs: number }[], fromMs: number, toMs: number): void {
  const last = pieces.at(-1)
  if (fromMs >= toMs) return
  if (last?.toMs === fromMs) last.toMs = toMs
  else pieces.push({ fromMs, toMs })
}
