import type { Tables } from '@clicktally/database/tables.ts'
import { sql, type Transaction } from 'kysely'

/** Returns since when raw clicks are kept; undefined if none were ever dropped. */
export interface RawClicksHorizon {
  /** By the time in their ids. */
  readonly keptSince: Date
  /** By `occurred_at`: counters of earlier minutes cannot be recomputed. */
  readonly completeSince: Date
}

/** Since when raw clicks are complete, of each project that does not keep them for ever. */
export interface ProjectHorizon {
  readonly projectId: number
  readonly project: string
  readonly completeSince: Date
}

export async function projectHorizons(snapshot: Transaction<Tables>): Promise<ProjectHorizon[]> {
  const { rows } = await sql<ProjectHorizon>`
    select project_id as "projectId", name as project, complete_since as "completeSince"
    from project_horizons join projects on projects.id = project_id
    where isfinite(complete_since) order by project_id`.execute(snapshot)
  return rows
}

export async function rawClicksHorizon(snapshot: Transaction<Tables>): Promise<RawClicksHorizon | undefined> {
  const { rows } = await sql<RawClicksHorizon>`
    select kept_since as "keptSince", complete_since as "completeSince" from raw_clicks
    where isfinite(complete_since)`.execute(snapshot)
  return rows[0]
}
