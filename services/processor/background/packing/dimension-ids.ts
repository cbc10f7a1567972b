import { maxDimensionIds, noValueId, otherId } from '@clicktally/columns/dimension-ids.ts'
import type { PoolClient } from 'pg'

/** Some tens of megabytes. */
const maxCached = 300_000

/**
 * The ids of values in `dimension_values`. Values get ids as they are first seen, at most `maxDimensionIds` for each dimension of
 * a project; then `otherId`. Ids of a transaction that was rolled back have to be forgotten.
 */
export class DimensionIds {
  readonly #known = new Map<string, Map<string, number>>()
  #size = 0

  /**
   * The ids of these values, in the same order.
   *
   * @param client in a transaction. Nobody else may add values meanwhile.
   * @throws the database error
   */
  async idsOf(
    client: PoolClient,
    projectId: number,
    dimension: string,
    values: readonly string[],
  ): Promise<readonly number[]> {
    const known = this.#idsOfDimension(`${projectId} ${dimension}`)
    const missing = values.filter((value) => value !== '' && !known.has(value))
    if (missing.length > 0) {
      const { rows } = await client.query<{ value: string; id: number }>(
        `with known as (
           select value, id from dimension_values
           where project_id = $1 and dimension = $2 and value = any($3::text[])
         ), last as (
           select coalesce(max(id), ${otherId}) as id from dimension_values where project_id = $1 and dimension = $2
         ), added as (
           insert into dimension_values (project_id, dimension, id, value)
           select $1, $2, last.id + row_number() over (order by position), value
           from last, unnest($3::text[]) with ordinality as given (value, position)
           where value not in (select value from known)
           order by position
           limit (select greatest(0, ${maxDimensionIds + otherId} - id) from last)
           returning value, id
         )
         select value, id from known union all select value, id from added`,
        [projectId, dimension, missing],
      )
      for (const { value, id } of rows) known.set(value, id)
      this.#size += rows.length
    }
    return values.map((value) => (value === '' ? noValueId : (known.get(value) ?? otherId)))
  }

  forget(): void {
    this.#known.clear()
    this.#size = 0
  }

  #idsOfDimension(key: string): Map<string, number> {
    if (this.#size > maxCached) this.forget()
    let ids = this.#known.get(key)
    if (ids === undefined) {
      ids = new Map()
      this.#known.set(key, ids)
    }
    return ids
  }
}
