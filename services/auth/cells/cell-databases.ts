import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { homeCell } from '@clicktally/system/cells.ts'
import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import { copyProjects } from './project-copies.ts'

export interface CellDatabasesOptions {
  /** Of the home cell. */
  readonly db: Kysely<Tables>
  /** Of the other cells, by their name. */
  readonly urls: ReadonlyMap<string, string>
  readonly logger: Logger
  /** The interval in milliseconds at which copies are compared without a change. */
  readonly copyEveryMs: number
}

/**
 * Keeps copies of projects and reading keys in the databases of the other cells (decision 0047): after each change and at a fixed
 * interval. A cell that is down gets them later; it counts meanwhile with those that it has.
 */
export class CellDatabases {
  readonly #options: CellDatabasesOptions
  readonly #others: ReadonlyMap<string, Kysely<Tables>>
  readonly #copying = new Map<string, Promise<void>>()
  readonly #isStale = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: CellDatabasesOptions) {
    this.#options = options
    const { urls, logger } = options
    const connect = (url: string) =>
      createDatabase(createPool({ url, name: 'auth cells', logger, maxConnections: 1, statementTimeoutMs: 5_000 }))
    this.#others = new Map(Array.from(urls, ([cell, url]) => [cell, connect(url)]))
  }

  /** All cells, the home cell first. */
  get names(): readonly string[] {
    return [homeCell, ...this.#others.keys()]
  }

  start(): void {
    if (this.#others.size === 0) return
    this.copy()
    this.#timer ??= setInterval(() => this.copy(), this.#options.copyEveryMs)
  }

  /** Starts to copy to all cells; where that is already in progress, it is repeated afterwards. Never throws. */
  copy(): void {
    for (const [cell, database] of this.#others) {
      this.#isStale.add(cell)
      if (!this.#copying.has(cell)) this.#copying.set(cell, this.#copyTo(cell, database))
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#copying.values())
    await Promise.all(Array.from(this.#others.values(), (database) => database.destroy()))
  }

  async #copyTo(cell: string, database: Kysely<Tables>): Promise<void> {
    while (this.#isStale.delete(cell)) {
      try {
        await copyProjects(this.#options.db, database)
      } catch (error) {
        this.#options.logger.warn({ err: error, cell }, 'projects could not be copied to a cell; retrying')
      }
    }
    this.#copying.delete(cell)
  }
}
