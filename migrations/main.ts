import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { readConfig } from './config.ts'
import { migrate, pendingChanges } from './migrate.ts'

const config = readConfigOrExit(readConfig, process.env)
const logger = createLogger('migrations', config.logLevel)
try {
  if (process.argv.includes('--dry-run')) {
    const { migrations, functions } = await pendingChanges(config.databaseUrl, logger)
    for (const { name, notes } of migrations) logger.info({ migration: name, notes }, 'would run')
    for (const name of functions) logger.info({ function: name }, 'would be replaced')
    if (migrations.length + functions.length === 0) logger.info('the schema is up to date')
  } else {
    await migrate(config.databaseUrl, (account) => config.passwords.get(account) as string, logger)
    logger.info('the schema is up to date')
  }
} catch (error) {
  logger.fatal({ err: error }, 'migration failed')
  process.exitCode = 1
}
