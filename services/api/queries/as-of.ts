import { asOfQuery } from '@clicktally/database/freshness.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'

/** Up to when everything accepted has been counted. Null if no processor has ever reported. */
export async function asOf(db: Kysely<Tables>): Promise<Date | null> {
  const { rows } = await sql<{ as_of: Date | null }>`${sql.raw(asOfQuery)}`.execute(db)
  return rows[0]?.as_of ?? null
}
