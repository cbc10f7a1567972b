import { randomBytes } from 'node:crypto'
import type { Tables } from '@clicktally/database/tables.ts'
import type { KeySnapshot } from '@clicktally/keys/key-snapshot.ts'
import { type Kysely, sql } from 'kysely'

/**
 * Creates missing salts for today and tomorrow (UTC), and deletes those of days that began more than 48 hours ago. Without the
 * salt of its day, a derived visitor can no longer be traced to an address.
 */
export async function renewVisitorSalts(db: Kysely<Tables>, now: Date): Promise<void> {
  const today = sql<Date>`(${now}::timestamptz at time zone 'UTC')::date`
  // Skip the statements if nothing changes, because each increments the version of the keys.
  const { rows } = await sql<{ missing: number; old: number }>`
    select 2 - count(*) filter (where day in (${today}, ${today} + 1)) as missing,
      count(*) filter (where day <= ${today} - 2) as old
    from visitor_salts`.execute(db)
  if ((rows[0]?.missing ?? 0) > 0) {
    for (const days of [0, 1]) {
      await sql`
        insert into visitor_salts (day, salt) values (${today} + ${days}::int, ${randomBytes(32)})
        on conflict (day) do nothing`.execute(db)
    }
  }
  if ((rows[0]?.old ?? 0) > 0) {
    await sql`delete from visitor_salts where day <= ${today} - 2`.execute(db)
    // A deleted row stays in the table's file until a vacuum, which may take months for such a small table. This rewrites the file
    // without the rows that no running transaction can see.
    await sql`vacuum (full) visitor_salts`.execute(db)
  }
}

/** Removes the salts that are due for deletion from a snapshot. It may be days old if PostgreSQL is down. */
export function withoutOldSalts(snapshot: KeySnapshot, nowMs: number): KeySnapshot {
  const oldest = new Date(nowMs - dayMs).toISOString().slice(0, 10)
  const salts = Object.entries(snapshot.visitorSalts).filter(([day]) => day >= oldest)
  return { ...snapshot, visitorSalts: Object.fromEntries(salts) }
}

const dayMs = 86_400_000
