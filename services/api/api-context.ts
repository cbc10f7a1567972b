import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import type { ReaderAccess } from './access/reader-access.ts'
import type { LiveViewers } from './live/live-viewers.ts'
import type { CountsReader } from './queries/counts-reader.ts'
import type { ConnectionSource } from './replica/fallback-pool.ts'
import type { ScanSlots } from './scan/scan-slots.ts'
import type { SketchCache } from './visitors/sketch-cache.ts'

/** What the routes need. */
export interface ApiContext {
  readonly db: Kysely<Tables>
  readonly pool: ConnectionSource
  /**
   * Connections for exports, whose statements may take longer; as many as there may be exports. To be chosen once for each export: a later
   * page from a replica might lack clicks that an earlier one from the primary promised.
   */
  readonly exportDb: () => Kysely<Tables>
  readonly access: ReaderAccess
  readonly counts: CountsReader
  readonly sketches: SketchCache
  readonly viewers: LiveViewers
  readonly scans: ScanSlots
}
