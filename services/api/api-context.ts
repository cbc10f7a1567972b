import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'

/** What the routes need. */
export interface ApiContext {
  readonly db: Kysely<Tables>
}
