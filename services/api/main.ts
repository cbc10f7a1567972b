import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { closeGracefully } from '@clicktally/http/graceful-close.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createRegistry } from '@clicktally/telemetry/metrics.ts'
import { watchPools } from '@clicktally/telemetry/pool-metrics.ts'
import { startTracing } from '@clicktally/tracing/start-tracing.ts'
import closeWithGrace from 'close-with-grace'
import { type CellPools, createApp } from './app.ts'
import { readConfig } from './config.ts'
import { exportStatementTimeoutMs, maxExports } from './export/export-limits.ts'
import { LiveStream } from './live/live-stream.ts'
import { LiveViewers } from './live/live-viewers.ts'
import { ReplicaWatch } from './replica/replica-watch.ts'

const config = readConfigOrExit(readConfig, process.env)
const tracing = await startTracing('api', config.traces)
const logger = createLogger('api', config.logLevel, tracing)
tracing?.reportTo(logger)
const registry = createRegistry('api')
// A query takes a few milliseconds. With millions of counters the planner expects it to be slow enough for parallel workers
// or JIT compilation: starting them takes three times as long, and takes CPU time from storing clicks.
const settings = { max_parallel_workers_per_gather: '0', jit: 'off' }
const connect = (url: string, accepts: 'primary' | 'any'): CellPools => {
  const shared = { url, accepts, logger, settings }
  const limits = { maxConnections: config.databaseConnections, statementTimeoutMs: 5_000 }
  const exportLimits = { maxConnections: maxExports, statementTimeoutMs: exportStatementTimeoutMs }
  return {
    pool: createPool({ ...shared, ...limits, name: 'api' }),
    exportPool: createPool({ ...shared, ...exportLimits, name: 'api export' }),
  }
}
const primary = connect(config.databaseUrl, 'primary')
const standby = config.readDatabaseUrl === undefined ? undefined : connect(config.readDatabaseUrl, 'any')
const { readDatabaseMaxLagMs: maxLagMs } = config
const watch = standby && new ReplicaWatch({ primary: primary.pool, replica: standby.pool, maxLagMs, logger })
const replica = standby && watch && { ...standby, watch }
const watchLive = (brokerUrl: string) => {
  const viewers: LiveViewers = new LiveViewers({
    ...{ maxViewers: config.maxLiveViewers, registry },
    isConnected: () => stream.isOpen,
  })
  const stream = new LiveStream({ brokerUrl, logger, onEntry: (entry) => viewers.add(entry) })
  return { viewers, stream }
}
const live = watchLive(config.brokerUrl)
const otherCells = new Map(
  Array.from(config.cells, ([name, { databaseUrl, brokerUrl }]) => {
    return [name, { ...connect(databaseUrl, 'primary'), ...watchLive(brokerUrl) }] as const
  }),
)
watchPools(
  {
    ...{ api: primary.pool, export: primary.exportPool },
    ...(standby && { 'api replica': standby.pool, 'export replica': standby.exportPool }),
    ...Object.fromEntries(
      Array.from(otherCells).flatMap(([name, { pool, exportPool }]) => [
        [`api ${name}`, pool],
        [`export ${name}`, exportPool],
      ]),
    ),
  },
  registry,
)
const databases = { ...primary, ...(replica && { replica }) }
const requestTracing = tracing && { tracing, traceparentUse: config.traceparentUse }
const options = { isOpen: config.isOpen, viewers: live.viewers, otherCells }
const app = await createApp(databases, options, logger, registry, requestTracing)

// 15 s: less than compose's 30 s, more than the 10 s of the graceful close.
closeWithGrace({ delay: 15_000, logger }, async ({ signal, err }) => {
  if (err !== undefined) logger.fatal({ err }, 'unexpected error')
  logger.info({ signal }, 'stopping')
  await closeGracefully(app)
  for (const { viewers, stream } of [live, ...otherCells.values()]) {
    viewers.close()
    await stream.close()
  }
  await watch?.close()
  const pools = [primary, standby, ...otherCells.values()]
  await Promise.all(pools.map((each) => Promise.all([each?.pool.end(), each?.exportPool.end()])))
  await tracing?.close()
  logger.info('stopped')
})

for (const { stream } of [live, ...otherCells.values()]) stream.start()
watch?.start()
await app.listen({ host: config.host, port: config.port })
