import { homedir } from 'node:os'
import { join } from 'node:path'
import { readArchiveSettings } from '@clicktally/archive/archive-settings.ts'
import { Environment } from '@clicktally/config/environment.ts'

export type CliConfig = ReturnType<typeof readConfig>

/** Addresses of the system from the environment; see `.env.example`. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    databaseUrl: env.optionalServerUrl(
      'CLICKTALLY_DATABASE_URL',
      'postgres://clicktally_operator@127.0.0.1:5432/clicktally',
      ['postgres:', 'postgresql:'],
      'CLICKTALLY_DATABASE_PASSWORD',
    ),
    brokerUrl: env.optionalServerUrl(
      'CLICKTALLY_BROKER_URL',
      'amqp://operator@127.0.0.1:5672',
      ['amqp:', 'amqps:'],
      'CLICKTALLY_BROKER_PASSWORD',
    ),
    // Of the other cells.
    cellDatabaseUrls: env.cellUrls('CLICKTALLY_CELL_DATABASE_URLS', {
      example: 'eu=postgres://postgres-eu:5432/clicktally',
      ...{ protocols: ['postgres:', 'postgresql:'], user: 'clicktally_operator' },
      passwordName: 'CLICKTALLY_DATABASE_PASSWORD',
    }),
    cellBrokerUrls: env.cellUrls('CLICKTALLY_CELL_BROKER_URLS', {
      example: 'eu=amqp://rabbitmq-eu:5672',
      ...{ protocols: ['amqp:', 'amqps:'], user: 'operator', passwordName: 'CLICKTALLY_BROKER_PASSWORD' },
    }),
    managementUrl: env.optionalServerUrl('CLICKTALLY_MANAGEMENT_URL', 'http://127.0.0.1:15672', ['http:', 'https:']),
    baseUrl: env.optionalServerUrl('CLICKTALLY_URL', 'http://127.0.0.1:8080', ['http:', 'https:']),
    /** For backups. */
    ownerDatabaseUrl: env.optionalServerUrl(
      'CLICKTALLY_OWNER_DATABASE_URL',
      'postgres://clicktally@127.0.0.1:5432/clicktally',
      ['postgres:', 'postgresql:'],
      'CLICKTALLY_OWNER_DATABASE_PASSWORD',
    ),
    secretsDir: env.optionalText('CLICKTALLY_SECRETS_DIR'),
    archive: readArchiveSettings(env),
    key: env.secret('CLICKTALLY_KEY'),
    stateDir: join(env.text('XDG_STATE_HOME', join(homedir(), '.local', 'state')), 'clicktally'),
  }
  env.check()
  return config
}
