import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import type { LiveViewers } from '../live/live-viewers.ts'
import type { CountsReader } from '../queries/counts-reader.ts'
import type { ConnectionSource } from '../replica/fallback-pool.ts'
import type { SketchCache } from '../visitors/sketch-cache.ts'

/** A cell, as far as it is read (decision 0047). Answers about a project are read from the cell that counts its clicks. */
export interface Cell {
  readonly name: string
  readonly db: Kysely<Tables>
  readonly pool: ConnectionSource
  /**
   * Connections for exports, whose statements may take longer; as many as there may be exports. To be chosen once for each export: a later
   * page from a replica might lack clicks that an earlier one from the primary promised.
   */
  readonly exportDb: () => Kysely<Tables>
  readonly counts: CountsReader
  /** Of this database alone: its rows have versions of its own. */
  readonly sketches: SketchCache
  readonly viewers: LiveViewers
}
