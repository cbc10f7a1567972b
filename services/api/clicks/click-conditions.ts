import type { Tables } from '@clicktally/database/tables.ts'
import type { DimensionRow, DimensionSource } from '@clicktally/dimensions/dimensions.ts'
import type { Kysely } from 'kysely'
import { declaredProps } from '../queries/declared-props.ts'
import { readValueFilters } from '../request/value-filters.ts'
import type { ValueFilter } from '../scan/scan.ts'

/** Conditions on the dimensions of raw clicks, which are read from each click, as packing does. */
export class ClickConditions {
  /** The columns of a click that they are read from. */
  readonly sources: readonly DimensionSource[]
  readonly #conditions: readonly ((row: DimensionRow) => boolean)[]

  constructor(filters: readonly ValueFilter[]) {
    this.sources = [...new Set(filters.flatMap(({ dimension }): readonly DimensionSource[] => dimension.sources))]
    this.#conditions = filters.map(({ dimension, isNot, values }) => {
      const wanted = new Set(values)
      return (row) => wanted.has(dimension.valueOf(row) ?? '') !== isNot
    })
  }

  matches(row: DimensionRow): boolean {
    return this.#conditions.every((condition) => condition(row))
  }
}

/**
 * The conditions of the parameters `filter`; undefined if there are none.
 *
 * @throws {ServiceProblem} parameter_invalid, dimension_unknown
 */
export async function clickConditions(
  db: Kysely<Tables>,
  projectId: number,
  texts: readonly string[],
): Promise<ClickConditions | undefined> {
  if (texts.length === 0) return undefined
  return new ClickConditions(readValueFilters(texts, { targets: undefined }, await declaredProps(db, projectId)))
}
