import { Environment } from '@clicktally/config/environment.ts'
import { readHttpSettings } from '@clicktally/http/http-settings.ts'

/** The read api's settings, from environment variables; `.env.example` explains each. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    ...readHttpSettings(env),
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
