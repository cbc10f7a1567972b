// One run of the janitor that kills its process after a step: KILL_AFTER. DATABASE_URL and ARCHIVE_FOLDER say where it works.

import { FolderStore } from '@clicktally/archive/folder-store.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { pino } from 'pino'
import { Janitor } from '../janitor.ts'

const { DATABASE_URL = '', ARCHIVE_FOLDER = '', KILL_AFTER } = process.env
const logger = pino({ level: 'silent' })
const pool = createPool({
  ...{ url: DATABASE_URL, name: 'killed janitor', logger, maxConnections: 1, statementTimeoutMs: 60_000 },
  settings: { timezone: 'UTC' },
})
const janitor = new Janitor({
  pool,
  store: new FolderStore(ARCHIVE_FOLDER),
  ages: { deadLetterDays: 90, auditLogDays: 730, producerDays: 400 },
  metrics: { archived() {}, removed() {}, waiting() {} },
  logger,
  eraseAfterMs: 0,
  async onStep(step) {
    if (step !== KILL_AFTER) return
    process.kill(process.pid, 'SIGKILL')
    // Nothing else happens until the signal arrives.
    await new Promise(() => {})
  },
})
await janitor.run()
await pool.end()
