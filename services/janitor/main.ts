import { openArchiveStore } from '@clicktally/archive/archive-settings.ts'
import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { closeGracefully } from '@clicktally/http/graceful-close.ts'
import { createHttpApp } from '@clicktally/http/http-app.ts'
import { PeriodicTask } from '@clicktally/periodic/periodic-task.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createRegistry } from '@clicktally/telemetry/metrics.ts'
import closeWithGrace from 'close-with-grace'
import { readConfig } from './config.ts'
import { Janitor } from './janitor.ts'
import { JanitorMetrics } from './janitor-metrics.ts'

const config = readConfigOrExit(readConfig, process.env)
const { every, archive, ages } = config
const isOnce = every === 'once'
const logger = createLogger('janitor', config.logLevel)
const registry = createRegistry('janitor')
const pool = createPool({
  url: config.databaseUrl,
  name: 'janitor',
  logger,
  // One for the run, one for metrics.
  maxConnections: 2,
  // Counting or deleting in a partition of a hundred million clicks.
  statementTimeoutMs: 600_000,
  settings: { timezone: 'UTC' },
})
const store = archive.place && (await openArchiveStore(archive.place, archive.s3))
const metrics = new JanitorMetrics(registry, pool, isOnce ? 0 : every)
const janitor = new Janitor({ pool, store, ages, metrics, logger })
const run = async () => {
  const hasRun = await janitor.run()
  logger.info(hasRun ? 'everything that was due is done' : 'another janitor is running')
}

if (isOnce) {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => janitor.close())
  try {
    await run()
  } catch (error) {
    logger.fatal({ err: error }, 'the run failed')
    process.exitCode = 1
  }
  store?.close()
  await pool.end()
} else {
  const app = createHttpApp({ logger, registry, isReady: () => true })
  const task = new PeriodicTask({
    name: 'remove what is too old',
    logger,
    intervalMs: every,
    // A failure may pass, as when a server is restarted.
    retryAfterMs: Math.min(every, 600_000),
    run,
  })
  // 25 s: below the 30 s of docker-compose.yml.
  closeWithGrace({ delay: 25_000, logger }, async ({ signal, err }) => {
    if (err !== undefined) logger.fatal({ err }, 'unexpected error')
    logger.info({ signal }, 'stopping')
    janitor.close()
    await task.close()
    store?.close()
    await pool.end()
    await closeGracefully(app, 1_000)
    logger.info('stopped')
  })
  await app.listen({ host: config.host, port: config.port })
  task.start()
}
