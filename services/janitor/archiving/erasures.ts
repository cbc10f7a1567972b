import { ContentDigest, linesOf, pageOf, readContent, writeContent } from '@clicktally/archive/archive-content.ts'
import type { ArchiveStore } from '@clicktally/archive/archive-store.ts'
import {
  archiveFile,
  isManifest,
  leftoversIn,
  type Manifest,
  manifestOf,
  readManifest,
  writeManifest,
} from '@clicktally/archive/manifest.ts'
import type { PoolClient } from 'pg'
import type { Logger } from 'pino'
import { hasBegunArchives, requireArchives } from './known-archives.ts'
import type { Step } from './step.ts'

export interface ErasureOptions {
  readonly store: ArchiveStore | undefined
  readonly logger: Logger
  readonly signal: AbortSignal
  readonly onStep: Step
  /** Milliseconds since the request: longer than `visitors forget` takes. What it removes in time is never archived. */
  readonly afterMs: number
}

interface Erasure {
  readonly id: number
  readonly visitor_id: string
  readonly project_id: number | null
}

const visitorKey = ',"visitor_id":'

/**
 * Removes forgotten visitors from archives: writes those that have one anew, and removes the old files. An erasure that was interrupted
 * is repeated, and what it left is removed.
 *
 * @throws the error of the place of the archives, for example because an object is in a storage class that must be restored first; or that an
 *   archive is missing. The requests stay then.
 */
export async function eraseVisitors(
  client: PoolClient,
  { store, logger, signal, onStep, afterMs }: ErasureOptions,
): Promise<void> {
  const { rows: erasures } = await client.query<Erasure>(
    `select id, visitor_id, project_id from archive_erasures
     where requested_at <= now() - make_interval(secs => $1::float8 / 1000) order by id`,
    [afterMs],
  )
  if (erasures.length === 0) return
  const done = () => client.query('delete from archive_erasures where id = any ($1)', [erasures.map(({ id }) => id)])
  if (store === undefined) {
    // Recorded because a project has an age. Without a place it has no archive, unless there was a place before.
    if (!(await hasBegunArchives(client))) return void (await done())
    throw new Error('Visitors are to be removed from archives, but ARCHIVE_URL does not say where these are.')
  }
  const visitorsOf = (projectId: number) =>
    erasures
      .filter(({ project_id }) => project_id === null || project_id === projectId)
      .map(({ visitor_id }) => visitor_id)
  const names = await store.list('project-')
  await requireArchives(client, store, names, (projectId) => visitorsOf(projectId).length > 0)
  for (const name of leftoversIn(names)) {
    await store.remove(name)
    logger.info({ file: name }, 'file of an interrupted erasure removed')
  }
  for (const name of names.filter(isManifest)) {
    signal.throwIfAborted()
    const manifest = await readManifest(store, name)
    const visitors = visitorsOf(manifest.project.id)
    if (visitors.length === 0) continue
    const erased = await writeWithout(store, manifest, new Set(visitors.map((visitor) => JSON.stringify(visitor))))
    if (erased === undefined) continue
    await client.query(
      'update archives set file = $3 where project_id = $1 and partition = $2 and given_up_at is not null',
      [manifest.project.id, manifest.partition, erased.file],
    )
    // Its manifest first: nobody must look for a file that is gone.
    await store.remove(manifestOf(manifest.file))
    await store.remove(manifest.file)
    logger.info({ file: erased.file, clicks: erased.clicks }, 'visitors removed from an archive')
    await onStep('erased one')
  }
  await done()
}

/**
 * Writes an archive anew, without these visitors. The old files stay.
 *
 * @param visitors as JSON texts
 * @returns the new file, and how many clicks had one of the visitors; undefined if none had
 */
async function writeWithout(
  store: ArchiveStore,
  manifest: Manifest,
  visitors: ReadonlySet<string>,
): Promise<{ readonly file: string; readonly clicks: number } | undefined> {
  let erased = 0
  const digest = new ContentDigest()
  for await (const page of readContent(store, manifest)) {
    const lines = linesOf(page)
    const kept = lines.map((line) => withoutVisitor(line, visitors))
    erased += kept.filter((line, index) => line !== lines[index]).length
    digest.add(pageOf(kept))
  }
  if (erased === 0) return undefined
  const contentSha256 = digest.hex()
  const file = archiveFile(manifest.project.id, manifest.partition, contentSha256)
  const { bytes, sha256 } = await writeContent(
    store,
    file,
    (async function* () {
      for await (const page of readContent(store, manifest))
        yield pageOf(linesOf(page).map((line) => withoutVisitor(line, visitors)))
    })(),
  )
  const changed = { ...manifest, file, bytes, sha256, contentSha256, writtenAt: new Date().toISOString() }
  await writeManifest(store, changed)
  for await (const _ of readContent(store, changed));
  return { file, clicks: erased }
}

/**
 * Of a line, everything else stays as it is: parsing and writing it again could change numbers. The first such key in the line is that of
 * the column, because quotes in the texts before it are escaped. PostgreSQL escapes texts as JSON.stringify() does.
 */
function withoutVisitor(line: string, visitors: ReadonlySet<string>): string {
  const from = line.indexOf(visitorKey) + visitorKey.length
  const [written] = /^"(?:[^"\\]|\\.)*"/.exec(line.slice(from, from + 1_024)) ?? []
  if (written === undefined || !visitors.has(JSON.stringify(JSON.parse(written)))) return line
  return `${line.slice(0, from)}null${line.slice(from + written.length)}`
}
