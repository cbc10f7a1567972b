import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely, Selectable } from 'kysely'

type Project = Selectable<Tables['projects']>
type Key = Selectable<Tables['keys']>

/** The roles of keys that may see visitors: the database itself checks them (click_visitors.sql). */
const seeingVisitors = ['auditor', 'owner'] as const

/**
 * Makes the projects in a cell's database, and the keys that may see visitors, equal to those of the home cell: processors and the
 * janitor read what a project has declared, and for how long its raw clicks are kept.
 *
 * @throws the database error
 */
export async function copyProjects(home: Kysely<Tables>, cell: Kysely<Tables>): Promise<void> {
  const projects = await home.selectFrom('projects').selectAll().orderBy('id').execute()
  const keys = await home.selectFrom('keys').selectAll().where('role', 'in', seeingVisitors).orderBy('id').execute()
  await cell.transaction().execute(async (transaction) => {
    const knownProjects = byId(await transaction.selectFrom('projects').selectAll().execute())
    const changed = projects.filter((each) => !isSame(ofProject, each, knownProjects.get(each.id)))
    // Two may have exchanged their names, which are unique: each gives its own up first.
    for (const { id } of changed) {
      const name = `renamed-${randomBytes(8).toString('hex')}`
      await transaction.updateTable('projects').set({ name }).where('id', '=', id).execute()
    }
    for (const project of changed) {
      const { id } = project
      if (knownProjects.has(id))
        await transaction.updateTable('projects').set(ofProject(project)).where('id', '=', id).execute()
      else await transaction.insertInto('projects').values(project).execute()
    }
    const knownKeys = byId(await transaction.selectFrom('keys').selectAll().execute())
    for (const key of keys) {
      const known = knownKeys.get(key.id)
      if (known === undefined) await transaction.insertInto('keys').values(key).execute()
      else if (!isSame(ofKey, key, known))
        await transaction.updateTable('keys').set(ofKey(key)).where('id', '=', key.id).execute()
    }
  })
}

/** What may change of a project. */
function ofProject({ name, derives_visitors, dimensions, keep_raw_days, cell }: Project) {
  return { name, derives_visitors, dimensions, keep_raw_days, cell }
}

/** What may change of a key, of what the database checks. */
function ofKey({ hash, expires_at, revoked_at }: Key) {
  return { hash, expires_at, revoked_at }
}

function isSame<Row>(changing: (row: Row) => object, row: Row, known: Row | undefined): boolean {
  return known !== undefined && isDeepStrictEqual(changing(row), changing(known))
}

function byId<Row extends { readonly id: unknown }>(rows: readonly Row[]): ReadonlyMap<Row['id'], Row> {
  return new Map(rows.map((row) => [row.id, row]))
}
