import { ContentDigest, readContent, writeContent } from '@clicktally/archive/archive-content.ts'
import type { ArchiveStore } from '@clicktally/archive/archive-store.ts'
import { archiveFile, type Manifest, writeManifest } from '@clicktally/archive/manifest.ts'
import { partitionIds } from '@clicktally/database/partition-ids.ts'
import type { PoolClient } from 'pg'
import type { DueClicks, VerifiedArchive } from './archive-table.ts'
import { clickLines } from './click-lines.ts'
import { otherAttempts } from './earlier-attempts.ts'
import type { Step } from './step.ts'

/** What an archive must have, by an aggregate over the table instead of by its lines. */
interface Summary {
  readonly clicks: number
  readonly firstOccurredAt: Date | null
  readonly lastOccurredAt: Date | null
}

async function summaryOf(client: PoolClient, { projectId, partition }: DueClicks): Promise<Summary> {
  const { fromId, toId } = partitionIds(partition)
  const { rows } = await client.query<Summary>(
    `select count(*) as clicks, min(occurred_at) as "firstOccurredAt", max(occurred_at) as "lastOccurredAt"
     from clicks where project_id = $1 and id > $2 and id < $3`,
    [projectId, fromId, toId],
  )
  const [summary] = rows
  if (summary === undefined) throw new Error('an aggregate without a row')
  return summary
}

/**
 * Writes a project's clicks in a partition as an archive, and proves that it has them: the clicks are read from the database twice,
 * for its name and for its content, and the file is read back; the content is the same each time.
 *
 * @throws {Error} if they differ, as when a visitor is forgotten meanwhile; the next run begins anew. Or if there is an archive of other clicks.
 */
export async function writeArchive(
  client: PoolClient,
  store: ArchiveStore,
  due: DueClicks,
  signal: AbortSignal,
  onStep: Step,
): Promise<VerifiedArchive> {
  const { projectId, projectName, partition } = due
  const changed = () =>
    new Error(`The clicks of project ${projectId} in ${partition} have changed while they were archived.`)
  const { clicks, firstOccurredAt, lastOccurredAt } = await summaryOf(client, due)
  const content = new ContentDigest()
  let firstId: string | null = null
  let lastId: string | null = null
  for await (const lines of clickLines(client, projectId, partition, signal)) {
    content.add(lines.page)
    firstId ??= lines.firstId
    lastId = lines.lastId
  }
  if (content.lines !== clicks) throw changed()
  const contentSha256 = content.hex()
  await onStep('read')
  if (clicks === 0) return { file: null, clicks, lastOccurredAt }

  const file = archiveFile(projectId, partition, contentSha256)
  // Before anything is written beside the archive of other clicks.
  await otherAttempts(store, due, file, { clicks, firstId, lastId })
  const written = await writeContent(
    store,
    file,
    (async function* () {
      for await (const { page } of clickLines(client, projectId, partition, signal)) yield page
    })(),
  )
  if (written.contentSha256 !== contentSha256) {
    await store.remove(file)
    throw changed()
  }
  await onStep('written')
  const manifest: Manifest = {
    version: 1,
    project: { id: projectId, name: projectName },
    partition,
    file,
    clicks,
    firstId,
    lastId,
    firstOccurredAt: firstOccurredAt?.toISOString() ?? null,
    lastOccurredAt: lastOccurredAt?.toISOString() ?? null,
    bytes: written.bytes,
    sha256: written.sha256,
    contentSha256,
    writtenAt: new Date().toISOString(),
  }
  await writeManifest(store, manifest)
  await onStep('described')
  // Throws unless it has exactly these clicks.
  for await (const _ of readContent(store, manifest)) signal.throwIfAborted()
  await onStep('read back')
  return { file, clicks, lastOccurredAt }
}
