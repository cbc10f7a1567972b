import { ClickTexts } from '@clicktally/columns/click-texts.ts'
import { type Dimension, dimensions, targetDimension } from '@clicktally/dimensions/dimensions.ts'
import type { PoolClient } from 'pg'
import { dimensionIds } from './dimension-ids.ts'

/**
 * What packing remembers of a project from hour to hour: texts of its clicks, the values of dimensions in them, and the ids of
 * these. Ids that a transaction added are wrong once it was rolled back: forget all of it then.
 */
export class ProjectValues {
  readonly projectId: number
  /** The target is the first. */
  readonly dimensions: readonly Dimension[]
  readonly texts: ClickTexts
  readonly #ids = new Map<string, number[]>()

  /** @param props that the project has declared */
  constructor(projectId: number, props: readonly Dimension[]) {
    this.projectId = projectId
    this.dimensions = [targetDimension, ...dimensions, ...props]
    this.texts = new ClickTexts(this.dimensions)
  }

  hasProps(props: readonly Dimension[]): boolean {
    return String(this.dimensions.slice(1 + dimensions.length).map(nameOf)) === String(props.map(nameOf))
  }

  /**
   * The ids of values, by their index in a column of `texts`.
   *
   * @param client in a transaction. Nobody else may add values meanwhile.
   * @throws the database error
   */
  async idsOf(client: PoolClient, dimension: string, values: readonly string[]): Promise<readonly number[]> {
    let ids = this.#ids.get(dimension)
    if (ids === undefined) {
      ids = []
      this.#ids.set(dimension, ids)
    }
    if (ids.length < values.length) {
      const added = await dimensionIds(client, this.projectId, dimension, values.slice(ids.length))
      for (const id of added) ids.push(id)
    }
    return ids
  }
}

function nameOf({ name }: Dimension): string {
  return name
}
