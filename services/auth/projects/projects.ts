import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Project } from '@clicktally/operations/owner/project-operations.ts'
import { homeCell } from '@clicktally/system/cells.ts'
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

/**
 * @param cells that a project may be in
 * @throws {ServiceProblem} project_exists, cell_unknown
 */
export async function createProject(
  db: Kysely<Tables>,
  cells: readonly string[],
  actor: Actor,
  {
    name,
    derivesVisitors = true,
    dimensions,
    keepRawDays,
    cell = homeCell,
  }: ProjectChanges & { readonly name: string; readonly cell?: string },
): Promise<Project> {
  if (!cells.includes(cell)) throw unknownCell(cell, cells)
  return await db.transaction().execute(async (transaction) => {
    const row = await transaction
      .insertInto('projects')
      .values({
        name,
        derives_visitors: derivesVisitors,
        ...(dimensions && { dimensions }),
        keep_raw_days: keepRawDays ?? null,
        cell,
      })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .returningAll()
      .executeTakeFirst()
    if (row === undefined) throw nameTaken(name)
    await audit(transaction, actor, 'project.create', name, {
      derivesVisitors,
      ...(dimensions && { dimensions }),
      ...(keepRawDays != null && { keepRawDays }),
      ...(cell !== homeCell && { cell }),
    })
    return projectOf(row)
  })
}

/** @throws {ServiceProblem} project_unknown, project_exists, project_moving */
export async function changeProject(
  db: Kysely<Tables>,
  actor: Actor,
  name: string,
  changes: ProjectChanges,
): Promise<Project> {
  return await db.transaction().execute(async (transaction) => {
    const { id } = await projectNamed(transaction, name)
    if (changes.keepRawDays != null) await refuseWhileMoving(transaction, id)
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

/** With an age, raw clicks could be removed before they are copied. @throws {ServiceProblem} project_moving */
async function refuseWhileMoving(db: Kysely<Tables>, id: number): Promise<void> {
  // Locked, so that a move is announced either before this or after the change.
  const row = await db.selectFrom('projects').select('moving_from').where('id', '=', id).forUpdate().executeTakeFirst()
  if (row?.moving_from == null) return
  const detail = 'The project moves to another cell. Set the age of its raw clicks when that is complete.'
  throw problem('project_moving', detail, { field: 'keepRawDays' })
}

/** @throws {ServiceProblem} project_unknown */
export async function projectNamed(db: Kysely<Tables>, name: string): Promise<{ readonly id: number }> {
  const row = await db.selectFrom('projects').select('id').where('name', '=', name).executeTakeFirst()
  if (row === undefined) throw problem('project_unknown', `There is no project "${name}".`, { field: 'project' })
  return row
}

export function unknownCell(cell: string, cells: readonly string[]) {
  return problem('cell_unknown', `There is no cell "${cell}" here, only ${cells.join(', ')}.`, { field: 'cell' })
}

function nameTaken(name: string) {
  return problem('project_exists', `There is a project "${name}" already.`, { field: 'name' })
}

export function projectOf(row: Selectable<Tables['projects']>): Project {
  const {
    name,
    derives_visitors: derivesVisitors,
    dimensions,
    keep_raw_days: keepRawDays,
    cell,
    moving_from,
    moving_since,
    created_at,
  } = row
  const moving = moving_from !== null &&
    moving_since !== null && { from: moving_from, since: moving_since.toISOString() }
  return {
    ...{ name, derivesVisitors, dimensions, keepRawDays, cell },
    moving: moving || null,
    createdAt: created_at.toISOString(),
  }
}
