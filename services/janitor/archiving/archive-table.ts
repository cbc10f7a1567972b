import type { PoolClient } from 'pg'

/** A project's clicks in a partition that are older than the project keeps them. */
export interface DueClicks {
  readonly projectId: number
  readonly projectName: string
  readonly partition: string
}

/** How far the archive of these clicks is. */
export interface ArchiveState {
  readonly version: number
  readonly file: string | null
  readonly isVerified: boolean
  readonly isGivenUp: boolean
}

/**
 * The clicks to archive or to remove, the oldest first. Those that were put back from an archive are not due until that time is over.
 */
export async function dueClicks(client: PoolClient): Promise<DueClicks[]> {
  const { rows } = await client.query<DueClicks>(
    `select projects.id as "projectId", projects.name as "projectName", child.partition
     from (select inhrelid::regclass::text as partition from pg_inherits where inhparent = 'clicks'::regclass) as child
     join projects on click_partition_end(partition) <= now() - make_interval(days => keep_raw_days)
     left join archives on archives.project_id = projects.id and archives.partition = child.partition
     where cleared_at is null and coalesce(restored_until, '-infinity') <= now()
     order by click_partition_end(child.partition), child.partition, projects.id`,
  )
  return rows
}

/** Begins an archive, or continues one that was begun. */
export async function beginArchive(client: PoolClient, { projectId, partition }: DueClicks): Promise<ArchiveState> {
  await client.query('insert into archives (project_id, partition) values ($1, $2) on conflict do nothing', [
    projectId,
    partition,
  ])
  const { rows } = await client.query<ArchiveState>(
    `select version, file, verified_at is not null as "isVerified", given_up_at is not null as "isGivenUp"
     from archives where project_id = $1 and partition = $2`,
    [projectId, partition],
  )
  const [state] = rows
  if (state === undefined) throw new Error('an archive that was just begun is not there')
  return state
}

export interface VerifiedArchive {
  /** Null if there are no clicks. */
  readonly file: string | null
  readonly clicks: number
  readonly lastOccurredAt: Date | null
}

/**
 * Records that an archive was verified.
 *
 * @param version that was current before the clicks were read
 * @returns false if a click has changed since
 */
export async function recordVerified(
  client: PoolClient,
  { projectId, partition }: DueClicks,
  version: number,
  { file, clicks, lastOccurredAt }: VerifiedArchive,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `update archives set file = $4, clicks = $5, last_occurred_at = $6, verified_at = clock_timestamp()
     where project_id = $1 and partition = $2 and version = $3 and given_up_at is null`,
    [projectId, partition, version, file, clicks, lastOccurredAt],
  )
  return rowCount === 1
}
