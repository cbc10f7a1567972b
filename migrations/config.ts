import { Environment } from '@clicktally/config/environment.ts'
import { loginRoles } from '@clicktally/system/accounts.ts'
import { logLevels } from '@clicktally/telemetry/logger.ts'

export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    logLevel: env.choice('LOG_LEVEL', 'info', logLevels),
    databaseUrl: env.clusterUrl(
      'DATABASE_URL',
      'postgres://clicktally@127.0.0.1:5432/clicktally',
      ['postgres:', 'postgresql:'],
      'DATABASE_PASSWORD',
    ),
    /** The passwords that the login roles get. */
    passwords: new Map(loginRoles.map(({ account, password }) => [account, env.requiredSecret(password.variable)])),
  }
  env.check()
  return config
}
