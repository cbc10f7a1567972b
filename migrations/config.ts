import { Environment } from '@clicktally/config/environment.ts'
import { logLevels } from '@clicktally/telemetry/logger.ts'

export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    logLevel: env.choice('LOG_LEVEL', 'info', logLevels),
    databaseUrl: env.serverUrl(
      'DATABASE_URL',
      'postgres://clicktally@127.0.0.1:5432/clicktally',
      ['postgres:', 'postgresql:'],
      'DATABASE_PASSWORD',
    ),
    processorPassword: env.requiredSecret('PROCESSOR_DATABASE_PASSWORD'),
    apiPassword: env.requiredSecret('API_DATABASE_PASSWORD'),
    operatorPassword: env.requiredSecret('OPERATOR_DATABASE_PASSWORD'),
  }
  env.check()
  return config
}
