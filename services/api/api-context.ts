import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import type { KeptSketches } from './kept-sketches.ts'

/** What the routes need. */
export interface ApiContext {
  readonly db: Kysely<Tables>
  readonly sketches: KeptSketches
}
