import { setTimeout as sleep } from 'node:timers/promises'
import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { closeGracefully } from '@clicktally/http/graceful-close.ts'
import { readFirstAccess } from '@clicktally/keys/first-access.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createRegistry } from '@clicktally/telemetry/metrics.ts'
import { watchPools } from '@clicktally/telemetry/pool-metrics.ts'
import { startTracing } from '@clicktally/tracing/start-tracing.ts'
import closeWithGrace from 'close-with-grace'
import { createApp } from './app.ts'
import { CellDatabases } from './cells/cell-databases.ts'
import { readConfig } from './config.ts'
import { installFirstAccess } from './installation/first-access.ts'
import { renewKeyVersion } from './installation/key-version.ts'
import { SignInLimits } from './sessions/sign-in-limits.ts'
import { snapshotMetrics } from './snapshot/snapshot-metrics.ts'
import { SnapshotPublisher } from './snapshot/snapshot-publisher.ts'

const config = readConfigOrExit(readConfig, process.env)
const firstAccess = config.firstAccess === undefined ? undefined : readFirstAccess(config.firstAccess)
const tracing = await startTracing('auth', config.traces)
const logger = createLogger('auth', config.logLevel, tracing)
tracing?.reportTo(logger)
const registry = createRegistry('auth')
const pool = createPool({
  url: config.databaseUrl,
  name: 'auth',
  logger,
  maxConnections: config.databaseConnections,
  statementTimeoutMs: 5_000,
})
watchPools({ auth: pool }, registry)
const db = createDatabase(pool)
const { publishEveryMs } = config
const snapshots = new SnapshotPublisher({ db, logger, brokerUrl: config.brokerUrl, publishEveryMs })
snapshotMetrics(snapshots, registry)
const ofRegions = config.regionBrokerUrls
  .values()
  .map((brokerUrl) => new SnapshotPublisher({ db, logger, brokerUrl, publishEveryMs }))
const publishers = [snapshots, ...ofRegions]
const cells = new CellDatabases({ db, urls: config.cellDatabaseUrls, logger, copyEveryMs: publishEveryMs })
const app = createApp(
  {
    ...{ db, signInLimits: new SignInLimits(), webhookAddresses: config.webhookAddresses, cells: cells.names },
    onKeysChanged() {
      for (const publisher of publishers) publisher.publish()
      cells.copy()
    },
  },
  logger,
  registry,
  tracing && { tracing, traceparentUse: config.traceparentUse },
)

// 15 s: less than compose's 30 s, more than the drain's 10 s.
closeWithGrace({ delay: 15_000, logger }, async ({ signal, err }) => {
  if (err !== undefined) logger.fatal({ err }, 'unexpected error')
  logger.info({ signal }, 'stopping')
  await closeGracefully(app)
  await Promise.all(publishers.map((publisher) => publisher.close()))
  await cells.close()
  await db.destroy()
  await tracing?.close()
  logger.info('stopped')
})

// Without the database there is nothing to serve: wait for it.
for (;;) {
  try {
    if (firstAccess !== undefined) await installFirstAccess(db, firstAccess)
    await renewKeyVersion(db)
    break
  } catch (error) {
    logger.warn({ err: error }, 'the first keys could not be installed; retrying')
    await sleep(1_000)
  }
}
for (const publisher of publishers) publisher.start()
cells.start()
await app.listen({ host: config.host, port: config.port })
