import { Environment } from '@clicktally/config/environment.ts'
import type { ServersChoice } from './servers.ts'

interface TestConfig extends ServersChoice {
  /** The path of a gzipped real access log, which is imported in addition to generated ones. */
  readonly accessLog: string | undefined
}

/** The tests' settings, from environment variables; `.env.example` explains each. */
export function readConfig(source: NodeJS.ProcessEnv): TestConfig {
  const env = new Environment(source)
  const kind = env.choice('TEST_SERVERS', 'any', ['any', 'containers', 'local'])
  const config = {
    postgresUrl: env.secret('TEST_DATABASE_URL'),
    amqpUrl: env.secret('TEST_BROKER_URL'),
    managementUrl: env.secret('TEST_BROKER_MANAGEMENT_URL'),
    kind: kind === 'any' ? undefined : kind,
    accessLog: env.text('TEST_ACCESS_LOG', '') || undefined,
  }
  env.check()
  return config
}
