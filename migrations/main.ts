import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { readConfig } from './config.ts'
import { migrate } from './migrate.ts'

const config = readConfigOrExit(readConfig, process.env)
const logger = createLogger('migrations', config.logLevel)
try {
  await migrate(config.databaseUrl, (account) => config.passwords.get(account) as string, logger)
  logger.info('the schema is up to date')
} catch (error) {
  logger.fatal({ err: error }, 'migration failed')
  process.exitCode = 1
}
