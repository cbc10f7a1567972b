import { Environment } from '@clicktally/config/environment.ts'
import type { ServersChoice } from './servers.ts'

/** Which servers the tests use, from environment variables. */
export function readConfig(source: NodeJS.ProcessEnv): ServersChoice {
  const env = new Environment(source)
  const kind = env.choice('TEST_SERVERS', 'any', ['any', 'containers', 'local'])
  const config = {
    postgresUrl: env.secret('TEST_DATABASE_URL'),
    amqpUrl: env.secret('TEST_BROKER_URL'),
    managementUrl: env.secret('TEST_BROKER_MANAGEMENT_URL'),
    kind: kind === 'any' ? undefined : kind,
  }
  env.check()
  return config
}
