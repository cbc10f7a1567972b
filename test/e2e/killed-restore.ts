// A restore of the backup BACKUP into the folder DIR, as `npm start -- --restore` does it, without the other servers. It kills its process
// after the step KILL_AFTER; PostgreSQL goes on, as it would. Without a step it restores, and writes a new backup to AGAIN.

import { join } from 'node:path'
import { backUpDatabase } from '@clicktally/backup/database-backup.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { openBackup } from '@clicktally/local/backup.ts'
import { claimFolder } from '@clicktally/local/files/claimed-folder.ts'
import { startPostgres } from '@clicktally/local/servers/postgres.ts'
import { pino } from 'pino'
import { killAfter } from './kill-after.ts'

const { BACKUP = '', DIR = '', AGAIN = '', KILL_AFTER } = process.env
const onStep = killAfter(KILL_AFTER)
const folder = await claimFolder(DIR, '', () => {})
const backup = await openBackup(BACKUP, DIR)
await onStep('begun')
const { supervision } = folder
const postgres = await startPostgres({ dir: join(DIR, 'data/postgres'), password: 'only-for-tests', supervision })
await onStep('server started')
await backup.restoreTo(postgres.url, () => {}, onStep)
const limits = { maxConnections: 1, statementTimeoutMs: 60_000 }
const pool = createPool({ url: postgres.url, name: 'backup', logger: pino({ level: 'silent' }), ...limits })
await backUpDatabase(pool, AGAIN)
await pool.end()
await postgres.stop()
folder.release()
