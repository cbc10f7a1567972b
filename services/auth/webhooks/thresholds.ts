import type { Tables } from '@clicktally/database/tables.ts'
import type { Threshold } from '@clicktally/operations/owner/threshold-operations.ts'
import type { Kysely, Selectable } from 'kysely'
import { type Actor, audit } from '../audit/audit-log.ts'
import { problem } from '../errors.ts'
import { projectNamed } from '../projects/projects.ts'
import { isUuid } from '../uuid.ts'

/** Thresholds of one project. The window of each is counted every minute. */
const maxThresholds = 100

interface ThresholdRequest {
  readonly project?: string
  readonly target?: string
  readonly type: 'reached' | 'silent'
  readonly clicks?: number
  readonly windowMinutes: number
}

type Row = Selectable<Tables['thresholds']> & { readonly project: string }

export async function listThresholds(db: Kysely<Tables>, project: string | undefined): Promise<Threshold[]> {
  const rows = await db
    .selectFrom('thresholds')
    .innerJoin('projects', 'projects.id', 'thresholds.project_id')
    .selectAll('thresholds')
    .select('projects.name as project')
    .$if(project !== undefined, (query) => query.where('projects.name', '=', project as string))
    .orderBy('thresholds.id')
    .execute()
  return rows.map(thresholdOf)
}

/** @throws {ServiceProblem} project_unknown, threshold_invalid, too_many_thresholds */
export async function createThreshold(
  db: Kysely<Tables>,
  actor: Actor,
  { project = 'default', target, type, clicks, windowMinutes }: ThresholdRequest,
): Promise<Threshold> {
  if ((type === 'reached') !== (clicks !== undefined)) {
    const detail =
      type === 'reached'
        ? '"clicks" is required for the type "reached".'
        : '"clicks" is not possible for the type "silent".'
    throw problem('threshold_invalid', detail, { field: 'clicks' })
  }
  return await db.transaction().execute(async (transaction) => {
    const { id: project_id } = await projectNamed(transaction, project)
    const { count } = await transaction
      .selectFrom('thresholds')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('project_id', '=', project_id)
      .executeTakeFirstOrThrow()
    if (count >= maxThresholds) throw problem('too_many_thresholds', `A project can have ${maxThresholds} thresholds.`)
    const row = await transaction
      .insertInto('thresholds')
      .values({
        ...{ project_id, target: target ?? null, type, clicks: clicks ?? null },
        window_minutes: windowMinutes,
      })
      .returningAll()
      .executeTakeFirstOrThrow()
    await audit(transaction, actor, 'threshold.create', row.id, { project, target, type, clicks, windowMinutes })
    return thresholdOf({ ...row, project })
  })
}

/** @throws {ServiceProblem} threshold_not_found */
export async function deleteThreshold(db: Kysely<Tables>, actor: Actor, id: string): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const row = isUuid(id)
      ? await transaction
          .deleteFrom('thresholds')
          .where('id', '=', id)
          .returning(['target', 'type', 'clicks', 'window_minutes'])
          .executeTakeFirst()
      : undefined
    if (row === undefined) throw problem('threshold_not_found', `There is no threshold with the id "${id}".`)
    await audit(transaction, actor, 'threshold.delete', id, row)
  })
}

function thresholdOf(row: Row): Threshold {
  return {
    ...{ id: row.id, project: row.project, target: row.target, type: row.type, clicks: row.clicks },
    ...{ windowMinutes: row.window_minutes, isMet: row.met_at !== null },
    judgedThrough: row.judged_through.toISOString(),
    createdAt: row.created_at.toISOString(),
  }
}
