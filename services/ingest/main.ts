import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { closeGracefully } from '@clicktally/http/http-app.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createRegistry } from '@clicktally/telemetry/metrics.ts'
import closeWithGrace from 'close-with-grace'
import { createApp } from './app.ts'
import { ClickFigures } from './click-figures.ts'
import { ClickPublisher } from './click-publisher.ts'
import { readConfig } from './config.ts'

const config = readConfigOrExit(readConfig, process.env)
const logger = createLogger('ingest', config.logLevel)
const registry = createRegistry('ingest')
const figures = new ClickFigures(registry)
const publisher = new ClickPublisher({
  brokerUrl: config.brokerUrl,
  logger,
  ...config.publisher,
  onConfirmed: (clicks, seconds) => figures.confirmed(clicks, seconds),
})
figures.watch(publisher, registry)
const app = createApp({ publisher, figures, windowMs: config.windowMs }, logger, registry)

// 20 s: less than compose's 30 s, more than the drain of 10 s, the confirms' 4 s and the last report's 1 s together.
closeWithGrace({ delay: 20_000, logger }, async ({ signal, err }) => {
  if (err !== undefined) logger.fatal({ err }, 'unexpected error')
  logger.info({ signal }, 'stopping')
  await closeGracefully(app)
  await publisher.close()
  logger.info('stopped')
})

publisher.start()
// nginx sends to a new ingest as soon as it listens. Without a broker it listens all the same, to say 503.
await publisher.untilReady(5_000)
await app.listen({ host: config.host, port: config.port })
