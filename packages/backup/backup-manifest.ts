import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'

const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' })
const Name = Type.String({ pattern: '^[a-z_0-9]{1,63}$' })

/** What a backup contains. Stored as its last file: a folder without it is no backup. */
const BackupManifest = Type.Object({
  version: Type.Literal(1),
  /** The moment of the snapshot. Clicks that were counted later are not in it. */
  takenAt: Type.String(),
  /** Of the server, such as 180004. */
  postgresVersion: Type.Integer(),
  /** The numbered migrations of the database, in order. */
  migrations: Type.Array(Type.String({ pattern: '^[\\w-]{1,128}$' }), { minItems: 1 }),
  /** Partitions of clicks. */
  partitions: Type.Array(
    Type.Object({
      name: Name,
      from: Type.String({ format: 'uuid' }),
      to: Type.String({ format: 'uuid' }),
      isClosed: Type.Boolean(),
      /** Storage parameters, such as `autovacuum_vacuum_threshold=0`. Earlier backups lack them. */
      settings: Type.Optional(Type.Array(Type.String({ pattern: '^[a-z_.]+=[\\w.-]+$' }))),
    }),
  ),
  tables: Type.Array(
    Type.Object({
      name: Name,
      columns: Type.Array(Name),
      rows: Type.Integer({ minimum: 0 }),
      /** Relative to the backup's folder. */
      file: Type.String({ pattern: '^tables/[a-z_0-9]+\\.copy\\.gz$' }),
      sha256: Sha256,
    }),
  ),
  /** Files of secrets. Earlier backups lack them, and so do those without secrets. */
  secrets: Type.Optional(
    Type.Array(
      Type.Object({
        /** Relative to the backup's folder, and not outside of it. */
        file: Type.String({ pattern: '^secrets(/(?!\\.\\.?(/|$))[^/\\0]+)+$' }),
        sha256: Sha256,
      }),
    ),
  ),
  sequences: Type.Array(Type.Object({ name: Name, lastValue: Type.Integer() })),
  /** The balance in the snapshot. */
  balance: Type.Record(Type.String(), Type.Integer()),
})
export type BackupManifest = Static<typeof BackupManifest>
export type BackedUpTable = BackupManifest['tables'][number]

export const manifestFile = 'manifest.json'

/** @throws {Error} if the folder has no backup, or not one of this program */
export async function readBackupManifest(folder: string): Promise<BackupManifest> {
  const path = join(folder, manifestFile)
  let manifest: unknown
  try {
    manifest = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new Error(`${folder} has no complete backup: ${(error as Error).message}`, { cause: error })
  }
  if (!Value.Check(BackupManifest, manifest)) throw new Error(`${path} does not describe a backup of this program.`)
  return manifest
}
