import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { topology } from '@clicktally/broker/topology.ts'
import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { closeGracefully } from '@clicktally/http/graceful-close.ts'
import { createHttpApp } from '@clicktally/http/http-app.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createRegistry } from '@clicktally/telemetry/metrics.ts'
import { watchPools } from '@clicktally/telemetry/pool-metrics.ts'
import { startTracing } from '@clicktally/tracing/start-tracing.ts'
import closeWithGrace from 'close-with-grace'
import { type BackgroundWork, startBackgroundWork } from './background/background-work.ts'
import { readConfig } from './config.ts'
import { LiveFeed } from './live/live-feed.ts'
import { ProcessingMetrics } from './processing-metrics.ts'
import { ProgressReport } from './progress/progress-report.ts'
import { ProgressTable } from './progress/progress-table.ts'
import { BatchWriter } from './queue/batch-writer.ts'
import { ClickConsumer } from './queue/click-consumer.ts'
import { persist } from './queue/failure-policy.ts'
import { TopologyKeeper } from './queue/topology-keeper.ts'
import { TracedWriter } from './queue/traced-writer.ts'
import { ClickStore, type ClickStoreOptions } from './store/click-store.ts'
import { TracedStore } from './store/traced-store.ts'

const config = readConfigOrExit(readConfig, process.env)
const tracing = await startTracing('processor', config.traces)
const logger = createLogger('processor', config.logLevel, tracing)
tracing?.reportTo(logger)
const registry = createRegistry('processor')
// A connection each for batches, suspects, dead letters and progress reports.
const pool = createPool({
  url: config.databaseUrl,
  name: 'processor',
  logger,
  maxConnections: 4,
  statementTimeoutMs: 10_000,
})
watchPools({ batches: pool }, registry)
const live = new LiveFeed({ brokerUrl: config.liveBrokerUrl, logger, registry })
const storeOptions: ClickStoreOptions = { onCounted: (clicks) => live.counted(clicks) }
const store = tracing ? new TracedStore(tracing, pool, storeOptions) : new ClickStore(pool, storeOptions)
const metrics = new ProcessingMetrics(registry)
const batchWriter = new BatchWriter({
  store,
  metrics,
  logger,
  // Longer than the pool's timeouts for a statement. After that, another processor may be able to count the messages.
  holdWhileAwayMs: 15_000,
})
const writer = tracing ? new TracedWriter(batchWriter, tracing) : batchWriter
const table = new ProgressTable(pool, randomUUID(), `${hostname()}:${config.port || process.pid}`, config.region)
const progress = new ProgressReport({ table, logger, settleMs: config.requeuesWithinMs })
const untilReady = (marker: string, gone: AbortSignal) => persist(() => progress.announce(marker), gone, logger)
const onLost = (marker: string) => progress.lost(marker)
const consuming = { brokerUrl: config.brokerUrl, logger, writer, untilReady, onLost, ...config.batch }
const onReturned = () => live.missed()
const consumer = new ClickConsumer({ ...consuming, queue: topology.queue, prefetch: config.prefetch, onReturned })
// One at a time, so that a message that crashes the process is identified.
const suspectConsumer = new ClickConsumer({ ...consuming, queue: topology.suspectQueue, prefetch: 1, onReturned })
const deadLetterConsumer = new ClickConsumer({ ...consuming, queue: topology.deadQueue, prefetch: 10 })
const { queue, suspectQueue, deadQueue } = topology
metrics.watch({ [queue]: consumer, [suspectQueue]: suspectConsumer, [deadQueue]: deadLetterConsumer }, registry)
const topologyKeeper = new TopologyKeeper({ brokerUrl: config.brokerUrl, logger })
let backgroundWork: BackgroundWork | undefined
const app = createHttpApp({ logger, registry, isReady: () => consumer.isConsuming })

// 25 s: below the 30 s of docker-compose.yml, above the statement timeout.
closeWithGrace({ delay: 25_000, logger }, async ({ signal, err }) => {
  if (err !== undefined) logger.fatal({ err }, 'unexpected error')
  logger.info({ signal }, 'stopping')
  await Promise.all([consumer.close(), suspectConsumer.close(), deadLetterConsumer.close()])
  await live.close()
  await topologyKeeper.close()
  await progress.close()
  await backgroundWork?.close()
  await pool.end()
  await closeGracefully(app, 1_000)
  await tracing?.close()
  logger.info('stopped')
})

await app.listen({ host: config.host, port: config.port })
backgroundWork = startBackgroundWork({ databaseUrl: config.databaseUrl, registry, logger })
topologyKeeper.start()
live.start()
deadLetterConsumer.start()
suspectConsumer.start()
consumer.start()
progress.start({ clicks: consumer, suspect: suspectConsumer, dead: deadLetterConsumer })
