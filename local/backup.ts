import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readBackupManifest } from '@clicktally/backup/backup-manifest.ts'
import { type OnRestoreStep, restoreDatabase, verifyBackup } from '@clicktally/backup/database-restore.ts'
import { copyFolder, syncFolder } from '@clicktally/backup/synced-files.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { migrateSchema, migrateToSchemaOf } from '@clicktally/migrations/migrate.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { markRestore, removeRestoreMark, restoreMarkPath, unfinishedRestore } from './files/restore-mark.ts'
import { Problem } from './problem.ts'

export interface OpenBackup {
  /**
   * @param ownerUrl of an empty database, whose folder is data/postgres of the system
   * @param onStep called after each step; tests kill the process there
   */
  restoreTo(ownerUrl: string, onLine: (line: string) => void, onStep?: OnRestoreStep): Promise<void>
}

/** For each statement: a table of a terabyte. */
const statementTimeoutMs = 24 * 3_600_000

/**
 * Verifies a backup and, if the folder has no secrets, takes over those of the backup. Secrets that it has stay: the new database gets
 * their passwords. So a database can be restored beside a RabbitMQ that still has clicks.
 *
 * From then on until restoreTo() resolves, the folder is marked: refuseUnfinishedRestore() refuses it, and the next restore removes the database
 * and begins anew.
 *
 * @param dir of the system, which is claimed
 * @throws Problem when the backup is damaged, or the folder has a database already
 */
export async function openBackup(backup: string, dir: string): Promise<OpenBackup> {
  const data = join(dir, 'data/postgres')
  if (existsSync(data) && unfinishedRestore(dir) === undefined)
    throw new Problem(`${data} exists: a backup is restored into a new database. Move the old one away first.`)
  const manifest = await readBackupManifest(backup).catch(toProblem)
  await verifyBackup(backup, manifest).catch(toProblem)
  markRestore(dir, backup)
  await rm(data, { recursive: true, force: true })
  await takeSecrets(backup, dir)
  return {
    async restoreTo(ownerUrl, onLine, onStep) {
      const logger = createLogger('restore', 'silent')
      const pool = createPool({ url: ownerUrl, name: 'restore', logger, maxConnections: 2, statementTimeoutMs })
      const migrations = {
        migrateTo: (names: readonly string[]) => migrateToSchemaOf(pool, names),
        migrate: () => migrateSchema(pool, logger),
      }
      try {
        await restoreDatabase(pool, backup, manifest, migrations, onStep)
      } finally {
        await pool.end()
      }
      removeRestoreMark(dir)
      const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0)
      onLine(`restored ${rows.toLocaleString('en-US')} rows as of ${manifest.takenAt}`)
      onLine('clicks that were counted or accepted later are not in the backup: see docs/operations.md')
    },
  }
}

/** @throws Problem if a restore into the folder was interrupted: its database is not complete */
export function refuseUnfinishedRestore(dir: string): void {
  const backup = unfinishedRestore(dir)
  if (backup === undefined) return
  throw new Problem(
    `A restore into ${dir} was interrupted, and its database is not complete. Repeat it, which begins anew:\n  npm start -- --restore ${backup}\n` +
      `To do without it, remove ${join(dir, 'data/postgres')} and ${restoreMarkPath(dir)}.`,
  )
}

/** All of them or none: secrets that are missing would be made anew. */
async function takeSecrets(backup: string, dir: string): Promise<void> {
  const [theirs, own, partial] = [join(backup, 'secrets'), join(dir, 'secrets'), join(dir, 'secrets.partial')]
  await rm(partial, { recursive: true, force: true })
  if (!existsSync(theirs) || existsSync(own)) return
  await copyFolder(theirs, partial)
  await rename(partial, own)
  await syncFolder(dir)
}

function toProblem(error: Error): never {
  throw new Problem(error.message)
}
