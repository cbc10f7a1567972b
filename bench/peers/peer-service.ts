import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { closeGracefully } from '@clicktally/http/http-app.ts'
import { createApp } from '@clicktally/ingest/app.ts'
import { ClickFigures } from '@clicktally/ingest/click-figures.ts'
import type { IngestContext } from '@clicktally/ingest/ingest-context.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createRegistry } from '@clicktally/telemetry/metrics.ts'
import closeWithGrace from 'close-with-grace'
import { type PeerConfig, readConfig } from './config.ts'

/** What becomes of clicks that ingest's routes have read and checked, each a line as the message contract writes it. */
export interface ClickKeeper {
  /** Resolves when the design that is compared would answer 202. */
  keep(lines: string, clicks: number): Promise<void>
  close(): Promise<void>
}

/**
 * Runs ingest's own HTTP side, with the same parsing, checks and answers, over another way to keep clicks: so a comparison
 * is of the ways to keep them, and of nothing else.
 */
export async function servePeer(name: string, open: (config: PeerConfig) => Promise<ClickKeeper>): Promise<void> {
  const config = readConfigOrExit(readConfig, process.env)
  const logger = createLogger(name, config.logLevel)
  const registry = createRegistry(name)
  const keeper = await open(config)
  const publisher: IngestContext['publisher'] = {
    isReady: true,
    refusal: undefined,
    publish: (lines, clicks) => keeper.keep(lines, clicks),
  }
  const app = createApp({ publisher, figures: new ClickFigures(registry), windowMs: config.windowMs }, logger, registry)
  closeWithGrace({ delay: 10_000, logger }, async ({ err }) => {
    if (err !== undefined) logger.fatal({ err }, 'unexpected error')
    await closeGracefully(app, 2_000)
    await keeper.close()
  })
  await app.listen({ host: config.host, port: config.port })
}
