import { Environment } from '@clicktally/config/environment.ts'
import { webhookAddresses } from '@clicktally/config/webhook-addresses.ts'
import { readHttpSettings } from '@clicktally/http/http-settings.ts'
import { readTraceparentUse, readTraceSettings } from '@clicktally/tracing/trace-settings.ts'

/** The auth service's settings, from environment variables; `.env.example` explains each. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    ...readHttpSettings(env),
    traces: readTraceSettings(env),
    traceparentUse: readTraceparentUse(env),
    databaseUrl: env.clusterUrl(
      'DATABASE_URL',
      'postgres://clicktally_auth@127.0.0.1:5432/clicktally',
      ['postgres:', 'postgresql:'],
      'DATABASE_PASSWORD',
    ),
    databaseConnections: env.integer('DATABASE_CONNECTIONS', 10, 1, 100),
    brokerUrl: env.clusterUrl('BROKER_URL', 'amqp://auth@127.0.0.1:5672', ['amqp:', 'amqps:'], 'BROKER_PASSWORD'),
    // Of the other cells.
    cellDatabaseUrls: env.cellUrls('CELL_DATABASE_URLS', {
      example: 'eu=postgres://postgres-eu:5432/clicktally',
      ...{ protocols: ['postgres:', 'postgresql:'], user: 'clicktally_auth', passwordName: 'DATABASE_PASSWORD' },
    }),
    // Where ingests read keys, besides the broker of BROKER_URL.
    regionBrokerUrls: env.cellUrls('REGION_BROKER_URLS', {
      example: 'us=amqp://rabbitmq-us:5672',
      ...{ protocols: ['amqp:', 'amqps:'], user: 'auth', passwordName: 'BROKER_PASSWORD' },
    }),
    // The first keys and the owner of a new installation, written by infra/secrets.
    firstAccess: env.secret('FIRST_ACCESS'),
    webhookAddresses: webhookAddresses(env),
    // Changes are published immediately. This interval limits the age of the snapshot with which an ingest starts.
    publishEveryMs: 15_000,
  }
  env.check()
  return config
}
