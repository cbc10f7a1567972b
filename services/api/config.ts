import { Environment } from '@clicktally/config/environment.ts'
import { readHttpSettings } from '@clicktally/http/http-settings.ts'

/** The read api's settings, from environment variables; `.env.example` explains each. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    ...readHttpSettings(env),
    brokerUrl: env.serverUrl('BROKER_URL', 'amqp://api@127.0.0.1:5672', ['amqp:', 'amqps:'], 'BROKER_PASSWORD'),
    databaseUrl: env.serverUrl(
      'DATABASE_URL',
      'postgres://clicktally_api@127.0.0.1:5432/clicktally',
      ['postgres:', 'postgresql:'],
      'DATABASE_PASSWORD',
    ),
    databaseConnections: env.integer('DATABASE_CONNECTIONS', 10, 1, 100),
    maxLiveViewers: env.integer('MAX_LIVE_VIEWERS', 2_000, 1, 100_000),
    // Answers requests without a key, for the first project. nginx must listen on loopback alone.
    isOpen: env.choice('CLICKTALLY_OPEN', 'no', ['no', 'loopback']) === 'loopback',
  }
  env.check()
  return config
}
