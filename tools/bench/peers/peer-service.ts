import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { closeGracefully } from '@clicktally/http/graceful-close.ts'
import { DerivedVisitors } from '@clicktally/ingest/access/derived-visitors.ts'
import { SenderAccess } from '@clicktally/ingest/access/sender-access.ts'
import { createApp } from '@clicktally/ingest/app.ts'
import { RequestAttributes } from '@clicktally/ingest/attributes/request-attributes.ts'
import { ClickMetrics } from '@clicktally/ingest/click-metrics.ts'
import type { IngestContext } from '@clicktally/ingest/ingest-context.ts'
import { KeyRing } from '@clicktally/keys/key-ring.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { createRegistry } from '@clicktally/telemetry/metrics.ts'
import closeWithGrace from 'close-with-grace'
import { type PeerConfig, readConfig } from './config.ts'

/** Keeps the clicks that ingest's routes have parsed and checked, one per line in the format of the messages. */
export interface ClickKeeper {
  /** Resolves when the design responds with 202. */
  keep(lines: string, clicks: number): Promise<void>
  close(): Promise<void>
}

/**
 * Runs the HTTP side of ingest, with the same parsing, checks and responses, and another way to keep clicks. So the comparison
 * is only about keeping them.
 */
export async function servePeer(name: string, open: (config: PeerConfig) => Promise<ClickKeeper>): Promise<void> {
  const config = readConfigOrExit(readConfig, process.env)
  const logger = createLogger(name, config.logLevel)
  const registry = createRegistry(name)
  const keeper = await open(config)
  const publisher: IngestContext['publisher'] = {
    isReady: true,
    refusal: undefined,
    publish: (_project, lines, clicks) => keeper.keep(lines, clicks),
  }
  // Peers check no keys: what that costs is part of the comparison.
  const ring = new KeyRing()
  const access = new SenderAccess(ring, true)
  const visitors = new DerivedVisitors(ring)
  const app = createApp(
    {
      ...{ publisher, access, visitors, attributes: new RequestAttributes() },
      ...{ metrics: new ClickMetrics(registry), windowMs: config.windowMs },
    },
    logger,
    registry,
  )
  closeWithGrace({ delay: 10_000, logger }, async ({ err }) => {
    if (err !== undefined) logger.fatal({ err }, 'unexpected error')
    await closeGracefully(app, 2_000)
    await keeper.close()
  })
  await app.listen({ host: config.host, port: config.port })
}
