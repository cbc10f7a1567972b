import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { closeGracefully } from '@clicktally/http/graceful-close.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createRegistry } from '@clicktally/telemetry/metrics.ts'
import { watchPools } from '@clicktally/telemetry/pool-metrics.ts'
import closeWithGrace from 'close-with-grace'
import { createApp } from './app.ts'
import { readConfig } from './config.ts'
import { exportStatementTimeoutMs, maxExports } from './export/export-limits.ts'
import { LiveStream } from './live/live-stream.ts'
import { LiveViewers } from './live/live-viewers.ts'

const config = readConfigOrExit(readConfig, process.env)
const logger = createLogger('api', config.logLevel)
const registry = createRegistry('api')
// A query takes a few milliseconds. With millions of counters the planner expects it to be slow enough for parallel workers
// or JIT compilation: starting them takes three times as long, and takes CPU time from storing clicks.
const settings = { max_parallel_workers_per_gather: '0', jit: 'off' }
const connect = (name: string, maxConnections: number, statementTimeoutMs: number) =>
  createPool({ url: config.databaseUrl, name, logger, maxConnections, statementTimeoutMs, settings })
const pool = connect('api', config.databaseConnections, 5_000)
const exportPool = connect('api export', maxExports, exportStatementTimeoutMs)
watchPools({ api: pool, export: exportPool }, registry)
const viewers: LiveViewers = new LiveViewers({
  maxViewers: config.maxLiveViewers,
  registry,
  isConnected: () => stream.isOpen,
})
const stream = new LiveStream({ brokerUrl: config.brokerUrl, logger, onEntry: (entry) => viewers.add(entry) })
const app = await createApp({ pool, exportPool }, { isOpen: config.isOpen, viewers }, logger, registry)

// 15 s: less than compose's 30 s, more than the 10 s of the graceful close.
closeWithGrace({ delay: 15_000, logger }, async ({ signal, err }) => {
  if (err !== undefined) logger.fatal({ err }, 'unexpected error')
  logger.info({ signal }, 'stopping')
  await closeGracefully(app)
  viewers.close()
  await stream.close()
  await Promise.all([pool.end(), exportPool.end()])
  logger.info('stopped')
})

stream.start()
await app.listen({ host: config.host, port: config.port })
