// A backup that kills its process after a step: KILL_AFTER. DATABASE_URL is what is backed up, to the folder BACKUP.

import { backUpDatabase } from '@clicktally/backup/database-backup.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { pino } from 'pino'
import { killAfter } from './kill-after.ts'

const { DATABASE_URL = '', BACKUP = '', SECRETS = '', KILL_AFTER } = process.env
const limits = { maxConnections: 1, statementTimeoutMs: 60_000 }
const pool = createPool({ url: DATABASE_URL, name: 'killed backup', logger: pino({ level: 'silent' }), ...limits })
await backUpDatabase(pool, BACKUP, {
  secretsDir: SECRETS,
  onStep: killAfter(KILL_AFTER),
})
await pool.end()
