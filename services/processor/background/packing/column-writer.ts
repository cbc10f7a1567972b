import type { PoolClient } from 'pg'
import type { Part } from './part-encoder.ts'

/** A statement has at most 65,535 parameters, and a column takes five. */
const maxColumns = 2_000
const maxBytes = 1024 * 1024

export interface PartKey {
  readonly projectId: number
  readonly hour: Date
  /** From 0. */
  readonly part: number
}

/** Inserts columns of parts, those of several small parts with one statement. */
export class ColumnWriter {
  readonly #client: PoolClient
  #values: unknown[][] = []
  #bytes = 0

  constructor(client: PoolClient) {
    this.#client = client
  }

  /** @throws the database error */
  async add({ projectId, hour, part }: PartKey, columns: Part): Promise<void> {
    for (const [dimension, data] of columns) {
      this.#values.push([projectId, hour, part, dimension, data])
      this.#bytes += data.length
    }
    if (this.#values.length > maxColumns || this.#bytes > maxBytes) await this.end()
  }

  /** @throws the database error */
  async end(): Promise<void> {
    const values = this.#values
    if (values.length === 0) return
    this.#values = []
    this.#bytes = 0
    const rows = values.map(
      (row, index) => `(${row.map((_, place) => `$${row.length * index + place + 1}`).join(', ')})`,
    )
    await this.#client.query(
      `insert into click_columns (project_id, hour, part, dimension, data) values ${rows.join(', ')}`,
      values.flat(),
    )
  }
}
