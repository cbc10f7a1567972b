import { existsSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { readBackupManifest } from '@clicktally/backup/backup-manifest.ts'
import { restoreDatabase, verifyBackup } from '@clicktally/backup/database-restore.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { migrateSchema, migrateToSchemaOf } from '@clicktally/migrations/migrate.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { Problem } from './problem.ts'

export interface OpenBackup {
  /** @param ownerUrl of an empty database */
  restoreTo(ownerUrl: string, onLine: (line: string) => void): Promise<void>
}

/** For each statement: a table of a terabyte. */
const statementTimeoutMs = 24 * 3_600_000

/**
 * Verifies a backup and, if the folder has no secrets, takes over those of the backup. Secrets that it has stay: the new database gets
 * their passwords. So a database can be restored beside a RabbitMQ that still has clicks.
 *
 * @param dir of the system
 * @throws Problem when the backup is damaged, or the folder has a database already
 */
export async function openBackup(backup: string, dir: string): Promise<OpenBackup> {
  const data = join(dir, 'data/postgres')
  if (existsSync(data))
    throw new Problem(`${data} exists: a backup is restored into a new database. Move the old one away first.`)
  const manifest = await readBackupManifest(backup).catch(toProblem)
  await verifyBackup(backup, manifest).catch(toProblem)
  const [theirs, own] = [join(backup, 'secrets'), join(dir, 'secrets')]
  if (existsSync(theirs) && !existsSync(own)) await cp(theirs, own, { recursive: true })
  return {
    async restoreTo(ownerUrl, onLine) {
      const logger = createLogger('restore', 'silent')
      const pool = createPool({ url: ownerUrl, name: 'restore', logger, maxConnections: 2, statementTimeoutMs })
      try {
        await restoreDatabase(pool, backup, manifest, {
          migrateTo: (migrations) => migrateToSchemaOf(pool, migrations),
          migrate: () => migrateSchema(pool, logger),
        })
      } finally {
        await pool.end()
      }
      const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0)
      onLine(`restored ${rows.toLocaleString('en-US')} rows as of ${manifest.takenAt}`)
      onLine('clicks that were counted or accepted later are not in the backup: see docs/operations.md')
    },
  }
}

function toProblem(error: Error): never {
  throw new Problem(error.message)
}
