import { maxDimensionIds, noValueId, otherId } from '@clicktally/columns/dimension-ids.ts'
import type { PoolClient } from 'pg'

/**
 * The ids of values in `dimension_values`, in the same order. Values that are new get ids, at most `maxDimensionIds` for each dimension
 * of a project; then `otherId`.
 *
 * @param client in a transaction. Nobody else may add values meanwhile.
 * @param values each different
 * @throws the database error
 */
export async function dimensionIds(
  client: PoolClient,
  projectId: number,
  dimension: string,
  values: readonly string[],
): Promise<number[]> {
  const named = values.filter((value) => value !== '')
  if (named.length === 0) return values.map(() => noValueId)
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
    [projectId, dimension, named],
  )
  const ids = new Map(rows.map(({ value, id }) => [value, id]))
  return values.map((value) => (value === '' ? noValueId : (ids.get(value) ?? otherId)))
}
