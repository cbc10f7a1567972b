import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { closeGracefully } from '@clicktally/http/graceful-close.ts'
import { KeyRing } from '@clicktally/keys/key-ring.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createRegistry } from '@clicktally/telemetry/metrics.ts'
import { startTracing } from '@clicktally/tracing/start-tracing.ts'
import closeWithGrace from 'close-with-grace'
import { DerivedVisitors } from './access/derived-visitors.ts'
import { keyMetrics } from './access/key-metrics.ts'
import { KeyStream } from './access/key-stream.ts'
import { SenderAccess } from './access/sender-access.ts'
import { createApp } from './app.ts'
import { CountryFile } from './attributes/country-file.ts'
import { RequestAttributes } from './attributes/request-attributes.ts'
import { ClickMetrics } from './click-metrics.ts'
import { readConfig } from './config.ts'
import { CellPublishers } from './publishing/cell-publishers.ts'
import { ClickPublisher } from './publishing/click-publisher.ts'

const config = readConfigOrExit(readConfig, process.env)
const tracing = await startTracing('ingest', config.traces)
const logger = createLogger('ingest', config.logLevel, tracing)
tracing?.reportTo(logger)
const registry = createRegistry('ingest')
const metrics = new ClickMetrics(registry)
const ring = new KeyRing()
keyMetrics(ring, registry)
const connect = (brokerUrl: string) =>
  new ClickPublisher({
    ...{ brokerUrl, logger, ...config.publisher },
    onConfirmed: (clicks, seconds) => metrics.confirmed(clicks, seconds),
    tracing,
  })
const home = connect(config.brokerUrl)
const others = Array.from(config.cellBrokerUrls, ([cell, url]) => [cell, connect(url)] as const)
const publisher = new CellPublishers(home, new Map(others), ring)
const publishers = [...publisher.all.values()]
const keys = new KeyStream({ brokerUrl: config.brokerUrl, logger, ring })
const countries = config.countryFile === undefined ? undefined : new CountryFile(config.countryFile, logger)
const attributes = new RequestAttributes(config.countryHeader, countries)
const access = new SenderAccess(ring, config.isOpen)
metrics.watch(publisher.all, access, registry)
const app = createApp(
  { publisher, metrics, access, visitors: new DerivedVisitors(ring), attributes, windowMs: config.windowMs },
  logger,
  registry,
  tracing && { tracing, traceparentUse: config.traceparentUse },
)

// 20 s: less than compose's 30 s, more than the sum of graceful close (10 s), confirms (4 s), last report (1 s) and traces (2 s).
closeWithGrace({ delay: 20_000, logger }, async ({ signal, err }) => {
  if (err !== undefined) logger.fatal({ err }, 'unexpected error')
  logger.info({ signal }, 'stopping')
  await closeGracefully(app)
  await Promise.all(publishers.map((each) => each.close()))
  await keys.close()
  countries?.close()
  await tracing?.close()
  logger.info('stopped')
})

for (const each of publishers) each.start()
keys.start()
await countries?.open()
// nginx uses a new ingest as soon as it listens, also one that is not ready. Without a broker, or keys, it listens after the timeout,
// and answers 503.
await Promise.all([access, ...publishers].map((each) => each.untilReady(5_000)))
await app.listen({ host: config.host, port: config.port })
