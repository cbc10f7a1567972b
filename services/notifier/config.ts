import { Environment } from '@clicktally/config/environment.ts'
import { webhookAddresses } from '@clicktally/config/webhook-addresses.ts'
import { readHttpSettings } from '@clicktally/http/http-settings.ts'

/** The notifier's settings, from environment variables; `.env.example` explains each. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    ...readHttpSettings(env),
    databaseUrl: env.clusterUrl(
      'DATABASE_URL',
      'postgres://clicktally_notifier@127.0.0.1:5432/clicktally',
      ['postgres:', 'postgresql:'],
      'DATABASE_PASSWORD',
    ),
    addresses: webhookAddresses(env),
  }
  env.check()
  return config
}
