import { maxDimensionIds, noValueId, otherId } from '@clicktally/columns/dimension-ids.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'

/** Far above the ids in the database. */
const firstTemporaryId = 2 ** 24

/**
 * The ids of a dimension's values in the answer to one question. Columns have those of `dimension_values`. Values of raw clicks get
 * temporary ones, until resolve() looks them up.
 */
export class ValueIds {
  readonly #projectId: number
  readonly #dimension: string
  readonly #ids = new Map<string, number>([['', noValueId]])
  #temporary: string[] = []

  constructor(projectId: number, dimension: string) {
    this.#projectId = projectId
    this.#dimension = dimension
  }

  idOf(value: string): number {
    let id = this.#ids.get(value)
    if (id === undefined) {
      id = firstTemporaryId + this.#temporary.length
      this.#temporary.push(value)
      this.#ids.set(value, id)
    }
    return id
  }

  /** The value of a temporary id; undefined for any other. */
  temporaryValue(id: number): string | undefined {
    return this.#temporary[id - firstTemporaryId]
  }

  /**
   * Looks up the values with temporary ids. From now on idOf() returns the ids of the database for them.
   *
   * @returns the ids of the database by the temporary ids; those of values that the database does not have are missing
   */
  async resolve(db: Kysely<Tables>): Promise<ReadonlyMap<number, number>> {
    const resolved = new Map<number, number>()
    if (this.#temporary.length === 0) return resolved
    const rows = await this.#select(db, sql<boolean>`value = any(${this.#temporary}::text[])`)
    for (const { id, value } of rows) {
      resolved.set(this.#ids.get(value) as number, id)
      this.#ids.set(value, id)
    }
    return resolved
  }

  /** The values of these ids, which are in the database or temporary. */
  async valuesOf(db: Kysely<Tables>, ids: readonly number[]): Promise<ReadonlyMap<number, string>> {
    const values = new Map<number, string>([[noValueId, '']])
    const stored = ids.filter((id) => {
      const temporary = this.temporaryValue(id)
      if (temporary !== undefined) values.set(id, temporary)
      return temporary === undefined && id !== noValueId
    })
    if (stored.length === 0) return values
    for (const { id, value } of await this.#select(db, sql<boolean>`id = any(${stored}::int[])`)) values.set(id, value)
    return values
  }

  /** The ids of values that begin with a text. */
  async idsWithPrefix(db: Kysely<Tables>, prefix: string): Promise<number[]> {
    return (await this.#select(db, sql<boolean>`value ^@ ${prefix}`)).map(({ id }) => id)
  }

  /** Whether values may be stored under `otherId`, because all ids are taken. */
  async isFull(db: Kysely<Tables>): Promise<boolean> {
    const { last } = await db
      .selectFrom('dimension_values')
      .where('project_id', '=', this.#projectId)
      .where('dimension', '=', this.#dimension)
      .select(({ fn }) => fn.max('id').as('last'))
      .executeTakeFirstOrThrow()
    return last !== null && last >= maxDimensionIds + otherId
  }

  #select(db: Kysely<Tables>, condition: ReturnType<typeof sql<boolean>>) {
    return db
      .selectFrom('dimension_values')
      .select(['id', 'value'])
      .where('project_id', '=', this.#projectId)
      .where('dimension', '=', this.#dimension)
      .where(condition)
      .execute()
  }
}
