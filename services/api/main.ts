import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { closeGracefully } from '@clicktally/http/http-app.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createRegistry } from '@clicktally/telemetry/metrics.ts'
import closeWithGrace from 'close-with-grace'
import { createApp } from './app.ts'
import { readConfig } from './config.ts'

const config = readConfigOrExit(readConfig, process.env)
const logger = createLogger('api', config.logLevel)
const registry = createRegistry('api')
const db = createDatabase(
  createPool({
    url: config.databaseUrl,
    name: 'api',
    logger,
    maxConnections: config.databaseConnections,
    statementTimeoutMs: 5_000,
    // A question takes a few milliseconds. With millions of counters the planner thinks it long enough for helpers, or for
    // machine code: to start them takes three times as long, and takes cores from those who store clicks.
    settings: { max_parallel_workers_per_gather: '0', jit: 'off' },
  }),
)
const app = await createApp(db, logger, registry)

// 15 s: less than compose's 30 s, more than the drain's 10 s.
closeWithGrace({ delay: 15_000, logger }, async ({ signal, err }) => {
  if (err !== undefined) logger.fatal({ err }, 'unexpected error')
  logger.info({ signal }, 'stopping')
  await closeGracefully(app)
  await db.destroy()
  logger.info('stopped')
})

await app.listen({ host: config.host, port: config.port })
