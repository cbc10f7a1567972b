import { Environment } from '@clicktally/config/environment.ts'
import { readHttpSettings } from '@clicktally/http/http-settings.ts'
import { readTraceSettings } from '@clicktally/tracing/trace-settings.ts'

/** The processor's settings, from environment variables; `.env.example` explains each. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    ...readHttpSettings(env),
    traces: readTraceSettings(env),
    brokerUrl: env.clusterUrl('BROKER_URL', 'amqp://processor@127.0.0.1:5672', ['amqp:', 'amqps:'], 'BROKER_PASSWORD'),
    databaseUrl: env.clusterUrl(
      'DATABASE_URL',
      'postgres://clicktally_processor@127.0.0.1:5432/clicktally',
      ['postgres:', 'postgresql:'],
      'DATABASE_PASSWORD',
    ),
    batch: {
      // On a full queue, 8,000 was measured to be twice as fast as 2,000. Larger batches lock their rows for longer.
      maxClicks: env.integer('BATCH_MAX_CLICKS', 5_000, 1, 50_000),
      flushAfterMs: env.integer('BATCH_FLUSH_AFTER_MS', 50, 1, 10_000),
    },
    // Messages, not clicks. Quorum queues deliver at most 2,000.
    prefetch: env.integer('PREFETCH', 400, 2, 2_000),
  }
  env.check()
  return config
}
