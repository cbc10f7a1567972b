import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { topology } from '@clicktally/broker/topology.ts'
import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { closeGracefully, createHttpApp } from '@clicktally/http/http-app.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createRegistry } from '@clicktally/telemetry/metrics.ts'
import closeWithGrace from 'close-with-grace'
import { BatchWriter } from './batch-writer.ts'
import { ClickConsumer } from './click-consumer.ts'
import { ClickStore } from './click-store.ts'
import { readConfig } from './config.ts'
import { CounterFolding } from './counter-folding.ts'
import { persist } from './failure-policy.ts'
import { ProcessingFigures } from './processing-figures.ts'
import { ProgressReport } from './progress-report.ts'
import { ProgressTable } from './progress-table.ts'
import { RepeatedTask } from './repeated-task.ts'
import { TopologyKeeper } from './topology-keeper.ts'

const config = readConfigOrExit(readConfig, process.env)
const logger = createLogger('processor', config.logLevel)
const registry = createRegistry('processor')
// One connection writes batches, one suspects, one dead letters, one reports progress, one makes partitions and folds the ledger.
const pool = createPool({
  url: config.databaseUrl,
  name: 'processor',
  logger,
  maxConnections: 5,
  statementTimeoutMs: 10_000,
})
const store = new ClickStore(pool)
// Nobody waits for it, and it may take its time.
const foldingPool = createPool({
  url: config.databaseUrl,
  name: 'processor folding',
  logger,
  maxConnections: 1,
  statementTimeoutMs: 120_000,
})
const figures = new ProcessingFigures(registry)
const folding = new CounterFolding({ pool: foldingPool, figures, logger })
const writer = new BatchWriter({
  store,
  figures,
  logger,
  // Above the pool's limits for a statement that gets no answer. What is held longer, others may be able to count.
  holdWhileAwayMs: 15_000,
})
const table = new ProgressTable(pool, randomUUID(), `${hostname()}:${config.port || process.pid}`)
const progress = new ProgressReport({ table, logger })
const untilReady = (marker: string, gone: AbortSignal) => persist(() => progress.announce(marker), gone, logger)
const onLost = (marker: string) => progress.lost(marker)
const consuming = { brokerUrl: config.brokerUrl, logger, writer, untilReady, onLost, ...config.batch }
const consumer = new ClickConsumer({ ...consuming, queue: topology.queue, prefetch: config.prefetch })
// One by one: what dies with one of these is what it dies of.
const suspectConsumer = new ClickConsumer({ ...consuming, queue: topology.suspectQueue, prefetch: 1 })
const deadLetterConsumer = new ClickConsumer({ ...consuming, queue: topology.deadQueue, prefetch: 10 })
const topologyKeeper = new TopologyKeeper({ brokerUrl: config.brokerUrl, logger })
const partitions = new RepeatedTask({
  name: 'make partitions',
  logger,
  everyMs: 3_600_000,
  retryAfterMs: 5_000,
  run: () => store.makePartitionsAround(Date.now()),
})
const ledgerFolding = new RepeatedTask({
  name: 'fold the ledger',
  logger,
  everyMs: 15_000,
  retryAfterMs: 15_000,
  run: () => store.foldLedger(),
})
const counterFolding = new RepeatedTask({
  name: 'fold the counters',
  logger,
  // Each question reads what is not folded; the longer it gathers, the more of it are additions to the same counters.
  everyMs: 3_000,
  retryAfterMs: 5_000,
  run: () => folding.fold(),
})
const app = createHttpApp({ logger, registry, isReady: () => consumer.isConsuming })

// 25 s: less than compose's 30 s, more than a statement may take.
closeWithGrace({ delay: 25_000, logger }, async ({ signal, err }) => {
  if (err !== undefined) logger.fatal({ err }, 'unexpected error')
  logger.info({ signal }, 'stopping')
  await Promise.all([consumer.close(), suspectConsumer.close(), deadLetterConsumer.close()])
  await topologyKeeper.close()
  await progress.close()
  folding.close()
  await Promise.all([partitions.close(), ledgerFolding.close(), counterFolding.close()])
  await Promise.all([pool.end(), foldingPool.end()])
  await closeGracefully(app, 1_000)
  logger.info('stopped')
})

await app.listen({ host: config.host, port: config.port })
partitions.start()
ledgerFolding.start()
counterFolding.start()
topologyKeeper.start()
deadLetterConsumer.start()
suspectConsumer.start()
consumer.start()
progress.start({ clicks: consumer, suspect: suspectConsumer, dead: deadLetterConsumer })
