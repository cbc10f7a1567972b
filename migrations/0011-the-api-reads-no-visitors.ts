import { type Kysely, sql } from 'kysely'

/**
 * The api reads of a raw click what a receipt shows. Who clicked, from where, and what else a site has sent along is not its
 * business, so that whoever breaks into it does not get that either. A route that shows more grants itself more.
 *
 * The code of the version before may run beside it: it reads no other column.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  `revoke select on clicks from clicktally_api`,
  `grant select (id, project_id, target, occurred_at, received_at, counted_at) on clicks to clicktally_api`,
]
