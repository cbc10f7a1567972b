import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import type { SketchKey } from '../queries/sketches-of.ts'
import type { SketchCache } from './sketch-cache.ts'
import { countVisitors } from './visitor-union.ts'

/** A sketch with this many hashes is full: it may lack larger ones (visitor_sketch_merge). */
const sketchSize = 2_048

/** What a query returns of the visitors of some counters. */
export interface VisitorsOfRows {
  /** The minimum over the largest hashes of full sketches. */
  readonly below: number | null
  /** The hashes up to `below` of the rows that keep changing, separated by commas, in any order. */
  readonly fresh: string | null
  /** The other rows, whose sketches may be in the cache. */
  readonly lasting: readonly LastingRow[] | null
}

type LastingRow = readonly [width: SketchKey['width'], startMs: number, target: string, version: string]

export function sketchKeys(lasting: readonly LastingRow[] | null): SketchKey[] {
  return (lasting ?? []).map(([width, startMs, target, version]) => ({ width, startMs, target, version }))
}

/** Distinct visitors of the rows. @param db reads the sketches that are not in the cache */
export async function visitorsOf(
  db: Kysely<Tables>,
  projectId: number,
  { below, fresh, lasting }: VisitorsOfRows,
  sketches: SketchCache,
): Promise<number> {
  const kept = await sketches.get(db, projectId, sketchKeys(lasting))
  // They may be newer than the rows, with a smaller largest hash.
  const full = kept.filter(({ length }) => length >= sketchSize).map((hashes) => hashes.at(-1) ?? 0)
  const limit = Math.min(below ?? Infinity, ...full)
  const hashes: number[] = fresh === null ? [] : JSON.parse(`[${fresh}]`)
  return Number.isFinite(limit)
    ? countVisitors([hashes.filter((hash) => hash <= limit), ...kept], limit)
    : countVisitors([hashes, ...kept], null)
}
