import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { closeGracefully } from '@clicktally/http/graceful-close.ts'
import { createHttpApp } from '@clicktally/http/http-app.ts'
import { PeriodicTask } from '@clicktally/periodic/periodic-task.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createRegistry } from '@clicktally/telemetry/metrics.ts'
import { watchPools } from '@clicktally/telemetry/pool-metrics.ts'
import closeWithGrace from 'close-with-grace'
import { sql } from 'kysely'
import { readConfig } from './config.ts'
import { deleteOldEvents, deleteOldSecrets } from './deliveries/delivery-queue.ts'
import { DeliveryWork } from './deliveries/delivery-work.ts'
import { notifierMetrics } from './notifier-metrics.ts'
import { judgeThresholds } from './thresholds/threshold-watch.ts'

const config = readConfigOrExit(readConfig, process.env)
const logger = createLogger('notifier', config.logLevel)
const registry = createRegistry('notifier')
// Few, so that it takes no connection from those that count.
const pool = createPool({
  url: config.databaseUrl,
  name: 'notifier',
  logger,
  maxConnections: 3,
  statementTimeoutMs: 5_000,
})
watchPools({ notifier: pool }, registry)
const db = createDatabase(pool)
const metrics = notifierMetrics(db, registry)
const deliveries = new DeliveryWork({
  db,
  logger,
  addresses: config.addresses,
  // Standard Webhooks advises 15 to 30 s. Shorter, because a stop waits for it.
  timeoutMs: 10_000,
  onAttempt: metrics.attempted,
})
const tasks = [
  // Each begins at most one delivery of a webhook, which therefore gets at most one event in a second.
  new PeriodicTask({ name: 'deliver', logger, intervalMs: 1_000, retryAfterMs: 2_000, run: () => deliveries.begin() }),
  new PeriodicTask({
    name: 'judge thresholds',
    logger,
    intervalMs: 2_000,
    retryAfterMs: 5_000,
    run: () => judgeThresholds(db),
  }),
  new PeriodicTask({
    name: 'delete old events',
    logger,
    intervalMs: 3_600_000,
    retryAfterMs: 60_000,
    run: () => deleteOldEvents(db),
  }),
  new PeriodicTask({
    name: 'delete old secrets',
    logger,
    intervalMs: 60_000,
    retryAfterMs: 60_000,
    run: () => deleteOldSecrets(db),
  }),
]
const app = createHttpApp({
  logger,
  registry,
  isReady: () =>
    sql`select 1`.execute(db).then(
      () => true,
      () => false,
    ),
})

// 17 s: below the 30 s of docker-compose.yml, above the time that a delivery may take.
closeWithGrace({ delay: 17_000, logger }, async ({ signal, err }) => {
  if (err !== undefined) logger.fatal({ err }, 'unexpected error')
  logger.info({ signal }, 'stopping')
  await Promise.all(tasks.map((task) => task.close()))
  await deliveries.close()
  await closeGracefully(app, 1_000)
  await db.destroy()
  logger.info('stopped')
})

await app.listen({ host: config.host, port: config.port })
for (const task of tasks) task.start()
