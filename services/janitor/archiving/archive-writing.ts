import { LineDigest, readContent, writeContent } from '@clicktally/archive/archive-content.ts'
import type { ArchiveStore } from '@clicktally/archive/archive-store.ts'
import { archiveFile, archivePrefix, type Manifest, manifestOf, writeManifest } from '@clicktally/archive/manifest.ts'
import type { PoolClient } from 'pg'
import type { DueClicks, VerifiedArchive } from './archive-table.ts'
import { type ClickLines, clickLines } from './click-lines.ts'
import type { Step } from './step.ts'

/** What was read of a project's clicks in a partition. */
class ReadClicks {
  readonly #digest = new LineDigest()
  #first: ClickLines | undefined
  #last: ClickLines | undefined
  #firstMs = Infinity
  #lastMs = -Infinity

  add(page: ClickLines): void {
    this.#digest.add(page.lines)
    this.#first ??= page
    this.#last = page
    this.#firstMs = Math.min(this.#firstMs, page.firstOccurredAt.getTime())
    this.#lastMs = Math.max(this.#lastMs, page.lastOccurredAt.getTime())
  }

  end() {
    const isEmpty = this.#last === undefined
    return {
      clicks: this.#digest.lines,
      contentSha256: this.#digest.hex(),
      firstId: this.#first?.firstId ?? null,
      lastId: this.#last?.lastId ?? null,
      firstOccurredAt: isEmpty ? null : new Date(this.#firstMs),
      lastOccurredAt: isEmpty ? null : new Date(this.#lastMs),
    }
  }
}

/**
 * Writes a project's clicks in a partition as an archive, and proves that it has them: the clicks are read from the database twice,
 * for its name and for its content, and the file is read back; the content is the same each time.
 *
 * @throws {Error} if they differ, as when a visitor is forgotten meanwhile; the next run begins anew
 */
export async function writeArchive(
  client: PoolClient,
  store: ArchiveStore,
  due: DueClicks,
  signal: AbortSignal,
  onStep: Step,
): Promise<VerifiedArchive> {
  const { projectId, projectName, partition } = due
  const measured = new ReadClicks()
  for await (const page of clickLines(client, projectId, partition, signal)) measured.add(page)
  const { clicks, contentSha256, firstOccurredAt, lastOccurredAt, ...ids } = measured.end()
  await onStep('read')
  if (clicks === 0) return { file: null, clicks, lastOccurredAt }

  const file = archiveFile(projectId, partition, contentSha256)
  const written = await writeContent(
    store,
    file,
    (async function* () {
      for await (const { lines } of clickLines(client, projectId, partition, signal)) yield lines
    })(),
  )
  if (written.contentSha256 !== contentSha256) {
    await store.remove(file)
    throw new Error(`The clicks of project ${projectId} in ${partition} have changed while they were archived.`)
  }
  await onStep('written')
  const manifest: Manifest = {
    version: 1,
    project: { id: projectId, name: projectName },
    partition,
    file,
    clicks,
    ...ids,
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

/** Removes files of earlier attempts, whose clicks have changed since, or of which a visitor was removed. */
export async function removeOtherFiles(
  store: ArchiveStore,
  { projectId, partition }: Pick<DueClicks, 'projectId' | 'partition'>,
  file: string | null,
): Promise<void> {
  const kept = file === null ? [] : [file, manifestOf(file)]
  for (const name of await store.list(archivePrefix(projectId, partition))) {
    if (!kept.includes(name)) await store.remove(name)
  }
}
