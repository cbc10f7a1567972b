import { Environment } from '@clicktally/config/environment.ts'
import { hostUrls } from '@clicktally/hosts/host-urls.ts'
import { readHttpSettings } from '@clicktally/http/http-settings.ts'
import { readTraceSettings } from '@clicktally/tracing/trace-settings.ts'
import { settlesWithinMs } from './progress/handover.ts'

/** The processor's settings, from environment variables; `.env.example` explains each. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const broker = ['amqp://processor@127.0.0.1:5672', ['amqp:', 'amqps:'], 'BROKER_PASSWORD'] as const
  const brokerUrl = env.clusterUrl('BROKER_URL', ...broker)
  const config = {
    ...readHttpSettings(env),
    traces: readTraceSettings(env),
    brokerUrl,
    databaseUrl: env.clusterUrl(
      'DATABASE_URL',
      'postgres://clicktally_processor@127.0.0.1:5432/clicktally',
      ['postgres:', 'postgresql:'],
      'DATABASE_PASSWORD',
    ),
    // Of the queue of BROKER_URL. Empty: that of the centre.
    region: env.parsed('REGION', '', regionName, 'lower-case letters, digits and hyphens'),
    // Where the apis look for live clicks.
    liveBrokerUrl: env.optionalText('LIVE_BROKER_URL') ? env.clusterUrl('LIVE_BROKER_URL', ...broker) : brokerUrl,
    batch: {
      // On a full queue, 8,000 was measured to be twice as fast as 2,000. Larger batches lock their rows for longer.
      maxClicks: env.integer('BATCH_MAX_CLICKS', 5_000, 1, 50_000),
      flushAfterMs: env.integer('BATCH_FLUSH_AFTER_MS', 50, 1, 10_000),
    },
    // Messages, not clicks. Quorum queues deliver at most 2,000.
    prefetch: env.integer('PREFETCH', 400, 2, 2_000),
    requeuesWithinMs: env.integer('BROKER_REQUEUES_WITHIN_MS', requeuesWithinMs(brokerUrl), 1_000, 300_000),
  }
  env.check()
  return config
}

function requeuesWithinMs(brokerUrl: string): number {
  return hostUrls(brokerUrl).length > 1 ? settlesWithinMs.cluster : settlesWithinMs.oneNode
}

function regionName(text: string): string | undefined {
  return /^[a-z][a-z0-9-]{0,30}$/.test(text) ? text : undefined
}
