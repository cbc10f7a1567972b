import { setTimeout as sleep } from 'node:timers/promises'
import type { ArchiveStore } from '@clicktally/archive/archive-store.ts'
import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { PoolClient } from 'pg'
import type { Logger } from 'pino'
import type { JanitorMetrics } from '../janitor-metrics.ts'
import { beginArchive, type DueClicks, dueClicks, recordVerified } from './archive-table.ts'
import { writeArchive } from './archive-writing.ts'
import { isStored, removeEarlierAttempts } from './earlier-attempts.ts'
import { requireLatestArchive } from './known-archives.ts'
import type { Step } from './step.ts'

export interface ArchivingOptions {
  /** Undefined: nothing can be archived. */
  readonly store: ArchiveStore | undefined
  readonly metrics: Pick<JanitorMetrics, 'archived' | 'removed' | 'waiting'>
  readonly logger: Logger
  readonly signal: AbortSignal
  readonly onStep: Step
}

/** Rows deleted by a statement, which takes about a second. */
const removeRows = 100_000
/** Longer, and batches of processors would queue up behind the lock. */
const dropLockMs = 500
/** A question ends in between. A backup does not: the next run drops the partition. */
const dropAttempts = 4
const dropPauseMs = 1_000
const notReady = '55000'
const lockNotAvailable = '55P03'

/**
 * Archives and removes the raw clicks that are older than their projects keep them, partition by partition, the oldest first.
 *
 * | step | of a project's clicks in a partition | if the process dies after it |
 * |---|---|---|
 * | close | no more come, and none is counted again | the next run continues |
 * | write | a file and its manifest | the next run writes the same file again |
 * | verify | the file was read back and is recorded | the next run continues |
 * | give up | their counters are final; needs packed hours | the next run continues |
 * | remove | they are deleted, or the partition is dropped | the next run removes the rest |
 *
 * @param client whose session holds the janitor's lock, so that no other janitor takes a step at the same time
 * @throws the first error, after everything else was tried
 */
export async function archiveRawClicks(client: PoolClient, options: ArchivingOptions): Promise<void> {
  const { store, metrics, logger, signal } = options
  const due = await dueClicks(client)
  if (due[0] !== undefined && store === undefined) {
    throw new Error(
      `The project "${due[0].projectName}" has raw clicks that are older than it keeps them, but ARCHIVE_URL does not say where to archive them.`,
    )
  }
  if (store === undefined) return
  if (due.length > 0) await requireLatestArchive(client, store)
  const failures: unknown[] = []
  let waiting = 0
  for (const [partition, clicks] of Map.groupBy(due, (each) => each.partition)) {
    const givenUp: DueClicks[] = []
    for (const each of clicks) {
      try {
        await archive(client, store, each, options)
        givenUp.push(each)
      } catch (error) {
        signal.throwIfAborted()
        const { projectId } = each
        if (sqlStateOf(error) === notReady) {
          waiting += 1
          logger.info({ err: error, partition, projectId }, 'clicks cannot be removed yet')
        } else {
          failures.push(error)
          logger.error({ err: error, partition, projectId }, 'clicks not archived')
        }
      }
    }
    try {
      if (givenUp.length > 0) await remove(client, partition, givenUp, options)
    } catch (error) {
      signal.throwIfAborted()
      if (sqlStateOf(error) === lockNotAvailable) {
        waiting += givenUp.length
        logger.info({ err: error, partition }, 'archived clicks are in use, and cannot be removed yet')
      } else {
        failures.push(error)
        logger.error({ err: error, partition }, 'archived clicks not removed')
      }
    }
  }
  metrics.waiting(waiting)
  if (failures.length > 0) throw failures[0]
}

/** Brings an archive to the point from which its clicks may be removed. */
async function archive(
  client: PoolClient,
  store: ArchiveStore,
  due: DueClicks,
  { metrics, logger, signal, onStep }: ArchivingOptions,
): Promise<void> {
  const { projectId, partition } = due
  const key = [projectId, partition]
  let state = await beginArchive(client, due)
  await onStep('begun')
  if (state.isGivenUp) return
  await client.query('select close_raw_clicks($1, $2)', key)
  await onStep('closed')
  let { file } = state
  if (!state.isVerified || (file !== null && !(await isStored(store, due, file)))) {
    // The version is read after the partition was closed: what changes afterwards increments it.
    state = await beginArchive(client, due)
    const archive = await writeArchive(client, store, due, signal, onStep)
    if (!(await recordVerified(client, due, state.version, archive))) {
      throw new Error(`The clicks of project ${projectId} in ${partition} have changed while they were archived.`)
    }
    file = archive.file
    await onStep('verified')
    metrics.archived(archive.clicks)
    if (archive.clicks > 0) logger.info({ projectId, partition, clicks: archive.clicks, file }, 'archived')
  }
  // Without clicks there was no earlier attempt: what has this name is the archive of another database.
  if (file !== null) await removeEarlierAttempts(store, due, file, logger)
  await client.query('select give_up_raw_clicks($1, $2)', key)
  await onStep('given up')
}

/** Drops the partition, or removes the clicks of these projects from it. */
async function remove(
  client: PoolClient,
  partition: string,
  givenUp: readonly DueClicks[],
  { metrics, logger, signal, onStep }: ArchivingOptions,
): Promise<void> {
  if (await dropPartition(client, partition, signal)) {
    logger.info({ partition }, 'partition dropped')
    await onStep('dropped')
    return
  }
  for (const { projectId } of givenUp) {
    for (let removed = -1; removed !== 0; ) {
      signal.throwIfAborted()
      const { rows } = await client.query<{ removed: number }>('select remove_raw_clicks($1, $2, $3) as removed', [
        projectId,
        partition,
        removeRows,
      ])
      removed = rows[0]?.removed ?? 0
      metrics.removed(removed)
      await onStep('removed some')
    }
  }
}

/** Returns false if others have clicks in it. @throws the database error: 55P03 while somebody uses it */
async function dropPartition(client: PoolClient, partition: string, signal: AbortSignal): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.query(`begin; set local lock_timeout = ${dropLockMs}`)
      const { rows } = await client.query<{ dropped: boolean }>('select drop_click_partition($1) as dropped', [
        partition,
      ])
      await client.query('commit')
      return rows[0]?.dropped === true
    } catch (error) {
      await client.query('rollback')
      if (sqlStateOf(error) !== lockNotAvailable || attempt === dropAttempts) throw error
    }
    // Those who queued up behind the attempt go on meanwhile.
    await sleep(dropPauseMs, undefined, { signal })
  }
}
