import { propDimension } from '@clicktally/dimensions/dimensions.ts'
import type { Pool, PoolClient } from 'pg'
import { canBePacked } from './stale-hours.ts'

/** The names of the dimensions `props.<name>` that each of these projects has declared. */
export async function declaredProps(client: PoolClient, projectIds: readonly number[]) {
  const { rows } = await client.query<{ id: number; dimensions: string[] }>(
    'select id, dimensions from projects where id = any($1)',
    [projectIds],
  )
  return new Map(rows.map(({ id, dimensions }) => [id, dimensions.map(propDimension)]))
}

/**
 * Marks hours as stale that were packed before their project declared a prop, if their clicks are still stored. Readers read the clicks
 * of such an hour until it is packed again.
 */
export class NewlyDeclaredProps {
  readonly #pool: Pool
  /** What the projects had declared when all hours were marked. */
  #marked = '[]'

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /** Does nothing if no declaration has changed since the last call. @throws the database error */
  async markHours(): Promise<void> {
    const { rows } = await this.#pool.query(`select id, dimensions from projects where dimensions <> '{}' order by id`)
    const declared = JSON.stringify(rows)
    if (declared === this.#marked) return
    await this.#pool.query(
      `insert into stale_hours (project_id, hour)
       select distinct project_id, hour
       from projects
       cross join unnest(dimensions) as prop
       join click_columns as packed on packed.project_id = projects.id and part = 0 and dimension = 'target'
       where not exists (
         select from click_columns as own
         where own.project_id = packed.project_id and own.hour = packed.hour and own.part = 0
           and own.dimension = 'props.' || prop)
         and ${canBePacked('packed')}
       on conflict do nothing`,
    )
    this.#marked = declared
  }
}
