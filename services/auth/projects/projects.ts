import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Project } from '@clicktally/operations/owner/project-operations.ts'
import type { Kysely, Selectable } from 'kysely'
import { type Actor, audit } from '../audit/audit-log.ts'
import { problem } from '../errors.ts'

interface ProjectChanges {
  readonly name?: string
  readonly derivesVisitors?: boolean
  /** Names of props. */
  readonly dimensions?: string[]
  /** Null: for ever. */
  readonly keepRawDays?: number | null
}

export async function listProjects(db: Kysely<Tables>): Promise<Project[]> {
  return (await db.selectFrom('projects').selectAll().orderBy('id').execute()).map(projectOf)
}

/** @throws {ServiceProblem} project_exists */
export async function createProject(
  db: Kysely<Tables>,
  actor: Actor,
  { name, derivesVisitors = true, dimensions, keepRawDays }: ProjectChanges & { readonly name: string },
): Promise<Project> {
  return await db.transaction().execute(async (transaction) => {
    const row = await transaction
      .insertInto('projects')
      .values({
        name,
        derives_visitors: derivesVisitors,
        ...(dimensions && { dimensions }),
        keep_raw_days: keepRawDays ?? null,
      })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .returningAll()
      .executeTakeFirst()
    if (row === undefined) throw nameTaken(name)
    await audit(transaction, actor, 'project.create', name, {
      derivesVisitors,
      ...(dimensions && { dimensions }),
      ...(keepRawDays != null && { keepRawDays }),
    })
    return projectOf(row)
  })
}

/** @throws {ServiceProblem} project_unknown, project_exists */
export async function changeProject(
  db: Kysely<Tables>,
  actor: Actor,
  name: string,
  changes: ProjectChanges,
): Promise<Project> {
  return await db.transaction().execute(async (transaction) => {
    const { id } = await projectNamed(transaction, name)
    const row = await transaction
      .updateTable('projects')
      .set({
        name: changes.name ?? name,
        ...(changes.derivesVisitors !== undefined && { derives_visitors: changes.derivesVisitors }),
        ...(changes.dimensions && { dimensions: changes.dimensions }),
        ...(changes.keepRawDays !== undefined && { keep_raw_days: changes.keepRawDays }),
      })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow()
      .catch((error) => {
        throw sqlStateOf(error) === '23505' ? nameTaken(changes.name ?? name) : error
      })
    await audit(transaction, actor, 'project.change', name, changes)
    return projectOf(row)
  })
}

/** @throws {ServiceProblem} project_unknown */
export async function projectNamed(db: Kysely<Tables>, name: string): Promise<{ readonly id: number }> {
  const row = await db.selectFrom('projects').select('id').where('name', '=', name).executeTakeFirst()
  if (row === undefined) throw problem('project_unknown', `There is no project "${name}".`, { field: 'project' })
  return row
}

function nameTaken(name: string) {
  return problem('project_exists', `There is a project "${name}" already.`, { field: 'name' })
}

function projectOf(row: Selectable<Tables['projects']>): Project {
  const { name, derives_visitors: derivesVisitors, dimensions, keep_raw_days: keepRawDays, created_at } = row
  return { name, derivesVisitors, dimensions, keepRawDays, createdAt: created_at.toISOString() }
}
