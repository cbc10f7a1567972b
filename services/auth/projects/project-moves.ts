import type { Tables } from '@clicktally/database/tables.ts'
import type { Project } from '@clicktally/operations/owner/project-operations.ts'
import { type Kysely, type Selectable, sql } from 'kysely'
import { type Actor, audit } from '../audit/audit-log.ts'
import { problem } from '../errors.ts'
import { projectOf, unknownCell } from './projects.ts'

/** An api uses the keys that it has read for at most 45 s. Then each says that its answers may lack clicks. */
const announcedForSeconds = 60

export interface MoveStep {
  readonly cell: string
  readonly state: 'announced' | 'moving' | 'settled'
}

/**
 * A step of a move. A project: settled → announced → moving → settled in another cell; or from announced back to settled. A step that was
 * taken already changes nothing.
 *
 * | state     | new clicks go to | read is   | `moving_from` |
 * |-----------|------------------|-----------|---------------|
 * | settled   | `cell`           | `cell`    | null          |
 * | announced | `cell`           | `cell`, `asOf` stands still | `cell` |
 * | moving    | `cell`           | `moving_from`, `asOf` stands still | the old cell |
 *
 * @param cells that a project may be in
 * @throws {ServiceProblem} project_unknown, cell_unknown, project_moving
 */
export async function moveProject(
  db: Kysely<Tables>,
  cells: readonly string[],
  actor: Actor,
  name: string,
  step: MoveStep,
): Promise<Project> {
  if (!cells.includes(step.cell)) throw unknownCell(step.cell, cells)
  return await db.transaction().execute(async (transaction) => {
    const row = await transaction
      .selectFrom('projects')
      .selectAll()
      .select(
        sql<boolean>`moving_since <= clock_timestamp() - make_interval(secs => ${announcedForSeconds})`.as('is_known'),
      )
      .where('name', '=', name)
      .forUpdate()
      .executeTakeFirst()
    if (row === undefined) throw problem('project_unknown', `There is no project "${name}".`, { field: 'project' })
    const changes = changesOf(row, step)
    if (changes === undefined) return projectOf(row)
    const moved = await transaction
      .updateTable('projects')
      .set(changes)
      .where('id', '=', row.id)
      .returningAll()
      .executeTakeFirstOrThrow()
    await audit(transaction, actor, 'project.move', name, { ...step })
    return projectOf(moved)
  })
}

/** Undefined if the step was taken already. @throws {ServiceProblem} project_moving */
function changesOf(
  { cell, moving_from: from, is_known }: Selectable<Tables['projects']> & { readonly is_known: boolean },
  step: MoveStep,
) {
  switch (step.state) {
    case 'announced':
      // Whoever announces it has copied the clicks of the cell that it names.
      if (step.cell !== cell) throw from === null || from === cell ? isElsewhere(cell) : isMoving(from, cell)
      return from === null ? { moving_from: cell, moving_since: sql<Date>`clock_timestamp()` } : undefined
    case 'moving':
      if (from === null) throw problem('project_moving', 'Announce the move first.', { field: 'state' })
      if (cell === step.cell) return undefined
      if (from !== cell) throw isMoving(from, cell)
      if (!is_known)
        throw problem('project_moving', `The move was announced less than ${announcedForSeconds} s ago.`, {
          field: 'state',
        })
      return { cell: step.cell }
    case 'settled':
      if (cell !== step.cell) throw isElsewhere(cell)
      return from === null ? undefined : { moving_from: null, moving_since: null }
  }
}

function isElsewhere(cell: string) {
  return problem('project_moving', `New clicks go to the cell "${cell}". Run "projects move" again.`, { field: 'cell' })
}

function isMoving(from: string, to: string) {
  return problem('project_moving', `The project moves from "${from}" to "${to}". Complete that first.`, {
    field: 'cell',
  })
}
