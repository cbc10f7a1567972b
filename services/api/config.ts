import { Environment } from '@clicktally/config/environment.ts'
import { logLevels } from '@clicktally/telemetry/logger.ts'

/** The read api's settings, from environment variables; `.env.example` explains each. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    host: env.text('HOST', '127.0.0.1'),
    port: env.integer('PORT', 3000, 0, 65_535),
    logLevel: env.choice('LOG_LEVEL', 'info', logLevels),
    databaseUrl: env.serverUrl(
      'DATABASE_URL',
      'postgres://clicktally_api@127.0.0.1:5432/clicktally',
      ['postgres:', 'postgresql:'],
      'DATABASE_PASSWORD',
    ),
    databaseConnections: env.integer('DATABASE_CONNECTIONS', 10, 1, 100),
  }
  env.check()
  return config
}
