import { Environment } from '@clicktally/config/environment.ts'
import { readHttpSettings } from '@clicktally/http/http-settings.ts'
import { readTraceparentUse, readTraceSettings } from '@clicktally/tracing/trace-settings.ts'

/** The read api's settings, from environment variables; `.env.example` explains each. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    ...readHttpSettings(env),
    traces: readTraceSettings(env),
    traceparentUse: readTraceparentUse(env),
    brokerUrl: env.clusterUrl('BROKER_URL', 'amqp://api@127.0.0.1:5672', ['amqp:', 'amqps:'], 'BROKER_PASSWORD'),
    databaseUrl: env.clusterUrl(
      'DATABASE_URL',
      'postgres://clicktally_api@127.0.0.1:5432/clicktally',
      ['postgres:', 'postgresql:'],
      'DATABASE_PASSWORD',
    ),
    // Of a standby, or of addresses that lead to one, with the same role and password.
    readDatabaseUrl: env.optionalText('READ_DATABASE_URL') && readDatabaseUrl(env),
    readDatabaseMaxLagMs: env.integer('READ_DATABASE_MAX_LAG_MS', 5_000, 500, 3_600_000),
    databaseConnections: env.integer('DATABASE_CONNECTIONS', 10, 1, 100),
    maxLiveViewers: env.integer('MAX_LIVE_VIEWERS', 2_000, 1, 100_000),
    // Answers requests without a key, for the first project. nginx must listen on loopback alone.
    isOpen: env.choice('CLICKTALLY_OPEN', 'no', ['no', 'loopback']) === 'loopback',
  }
  env.check()
  return config
}

function readDatabaseUrl(env: Environment): string {
  const example = 'postgres://clicktally_api@127.0.0.1:5433/clicktally'
  return env.clusterUrl('READ_DATABASE_URL', example, ['postgres:', 'postgresql:'], 'DATABASE_PASSWORD')
}
