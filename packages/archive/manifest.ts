import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { type ArchiveStore, unavailable } from './archive-store.ts'

const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' })
const Id = Type.Union([Type.String(), Type.Null()])
const Time = Type.Union([Type.String(), Type.Null()])

/** Describes an archive: a file of clicks. Stored beside it, so that archives can be read without the database. */
const Manifest = Type.Object({
  version: Type.Literal(1),
  project: Type.Object({ id: Type.Integer({ minimum: 1 }), name: Type.String() }),
  /** The partition of the table `clicks` that they come from. */
  partition: Type.String({ pattern: '^clicks_\\d{6}(\\d\\d)?$' }),
  /** Name of the file. */
  file: Type.String({ pattern: '^[\\w.-]+/[\\w.-]+$' }),
  clicks: Type.Integer({ minimum: 1 }),
  /** The clicks are in the order of their ids. */
  firstId: Id,
  lastId: Id,
  firstOccurredAt: Time,
  lastOccurredAt: Time,
  /** Size of the file. */
  bytes: Type.Integer({ minimum: 1 }),
  /** Of the file. */
  sha256: Sha256,
  /** Of the lines in it. */
  contentSha256: Sha256,
  writtenAt: Type.String(),
})
export type Manifest = Static<typeof Manifest>

const manifestSuffix = '.json'
const fileSuffix = '.ndjson.gz'
/** A manifest has some hundred bytes. */
const maxManifestBytes = 65_536

/** What the names of all files of a project's clicks in a partition begin with. */
export function archivePrefix(projectId: number, partition: string): string {
  return `project-${projectId}/${partition}.`
}

/**
 * The name of an archive with this content. Two writers of the same clicks write the same file, so it does not matter which of them is
 * interrupted.
 */
export function archiveFile(projectId: number, partition: string, contentSha256: string): string {
  return `${archivePrefix(projectId, partition)}${contentSha256.slice(0, 16)}${fileSuffix}`
}

export function manifestOf(file: string): string {
  return file.slice(0, -fileSuffix.length) + manifestSuffix
}

function fileOf(manifest: string): string {
  return manifest.slice(0, -manifestSuffix.length) + fileSuffix
}

/** Whether a file of this name is a manifest. */
export function isManifest(name: string): boolean {
  return name.endsWith(manifestSuffix)
}

/** What the names of all files of the same clicks begin with, like {@link archivePrefix}. */
export function prefixOf(name: string): string {
  return name.slice(0, name.indexOf('.') + 1)
}

/**
 * Of these names, those of files that no manifest describes, although there is a complete archive of the same clicks: what a process left that
 * was killed while it wrote or removed an archive.
 */
export function leftoversIn(names: readonly string[]): string[] {
  const described = new Set(names.filter(isManifest).map(fileOf))
  const complete = new Set(names.filter((name) => described.has(name)).map(prefixOf))
  return names.filter((name) => !isManifest(name) && !described.has(name) && complete.has(prefixOf(name)))
}

export async function writeManifest(store: ArchiveStore, manifest: Manifest): Promise<void> {
  const text = `${JSON.stringify(manifest, null, 2)}\n`
  await store.write(manifestOf(manifest.file), inOnePart(Buffer.from(text)))
}

async function* inOnePart(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/**
 * @throws {ArchiveUnavailable}
 * @throws {Error} that names the manifest, if it is missing or invalid
 */
export async function readManifest(store: ArchiveStore, name: string): Promise<Manifest> {
  const source = await store.read(name)
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of source) {
      chunks.push(chunk as Buffer)
      bytes += (chunk as Buffer).length
      if (bytes > maxManifestBytes) break
    }
  } catch (error) {
    throw unavailable(store.description, error)
  }
  if (bytes > maxManifestBytes) throw new Error(`The manifest ${name} in ${store.description} is too large.`)
  try {
    const manifest: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (Value.Check(Manifest, manifest) && manifestOf(manifest.file) === name) return manifest
  } catch (error) {
    throw new Error(`The manifest ${name} in ${store.description} is not JSON.`, { cause: error })
  }
  throw new Error(`The manifest ${name} in ${store.description} does not describe the archive of that name.`)
}

/** The manifests of all archives, by project and partition. @throws see {@link readManifest} */
export async function* listArchives(store: ArchiveStore, prefix = 'project-'): AsyncGenerator<Manifest> {
  for (const name of await store.list(prefix)) {
    if (isManifest(name)) yield await readManifest(store, name)
  }
}
