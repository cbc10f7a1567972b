import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { createPool } from '@clicktally/database/connection.ts'
import { closeGracefully, createHttpApp } from '@clicktally/http/http-app.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createRegistry } from '@clicktally/telemetry/metrics.ts'
import closeWithGrace from 'close-with-grace'
import { BatchWriter } from './batch-writer.ts'
import { ClickConsumer } from './click-consumer.ts'
import { ClickStore } from './click-store.ts'
import { readConfig } from './config.ts'
import { DeadLetters } from './dead-letters.ts'
import { PartitionKeeper } from './partition-keeper.ts'
import { ProcessingFigures } from './processing-figures.ts'
import { ProgressReport } from './progress-report.ts'

const config = readConfigOrExit(readConfig, process.env)
const logger = createLogger('processor', config.logLevel)
const registry = createRegistry('processor')
// One connection writes batches, one reports progress, one makes partitions.
const pool = createPool({
  url: config.databaseUrl,
  name: 'processor',
  logger,
  maxConnections: 3,
  statementTimeoutMs: 10_000,
})
const store = new ClickStore(pool)
const partitions = new PartitionKeeper(store, logger)
const deadLetters = new DeadLetters(config.brokerUrl, logger)
const writer = new BatchWriter({ store, deadLetters, figures: new ProcessingFigures(registry), logger })
const consumer = new ClickConsumer({
  brokerUrl: config.brokerUrl,
  logger,
  writer,
  prefetch: config.prefetch,
  ...config.batch,
})
const progress = new ProgressReport(consumer, pool, logger)
const app = createHttpApp({ logger, registry, isReady: () => consumer.isConsuming })

// 25 s: less than compose's 30 s, more than a statement may take.
closeWithGrace({ delay: 25_000, logger }, async ({ signal, err }) => {
  if (err !== undefined) logger.fatal({ err }, 'unexpected error')
  logger.info({ signal }, 'stopping')
  await consumer.close()
  await progress.close()
  partitions.close()
  await deadLetters.close()
  await pool.end()
  await closeGracefully(app, 1_000)
  logger.info('stopped')
})

await app.listen({ host: config.host, port: config.port })
deadLetters.start()
consumer.start()
progress.start()
await partitions.start()
