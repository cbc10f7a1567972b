import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import { formatMoment } from '../moment.ts'
import { type Finding, finding } from './finding.ts'

interface LatestRun {
  readonly succeededAt: Date | null
  readonly failure: string | null
  /** Longer ago than three runs at the default interval. */
  readonly isLate: boolean
  /** Projects that do not keep their raw clicks for ever. */
  readonly projects: number
}

/** Whether old records, and raw clicks that are older than their projects keep them, are archived and removed. */
export async function checkJanitor(db: Kysely<Tables>): Promise<readonly Finding[]> {
  const { rows } = await sql<LatestRun>`
    select succeeded_at as "succeededAt", failure,
      coalesce(succeeded_at, '-infinity') < clock_timestamp() - interval '1 day' as "isLate",
      (select count(*) from projects where keep_raw_days is not null) as projects
    from janitor_runs`.execute(db)
  const [run] = rows
  if (run === undefined) throw new Error('janitor_runs has no row')
  const { succeededAt, failure, isLate, projects } = run
  const last = succeededAt === null ? 'no run has succeeded yet' : `last succeeded at ${formatMoment(succeededAt)}`
  const isWrong = failure !== null || (isLate && (projects > 0 || succeededAt !== null))
  return [
    finding(
      'janitor',
      isWrong ? 'notice' : 'ok',
      failure === null ? last : `${last}; the latest run failed: ${failure}`,
      'Raw clicks stay until their archive is verified, so nothing is lost, but the database grows. Its log has the reason.',
    ),
  ]
}
