import { Environment } from '@clicktally/config/environment.ts'
import { readHttpSettings } from '@clicktally/http/http-settings.ts'
import { readTraceparentUse, readTraceSettings } from '@clicktally/tracing/trace-settings.ts'

/** The read api's settings, from environment variables; `.env.example` explains each. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    ...readHttpSettings(env),
    traces: readTraceSettings(env),
    traceparentUse: readTraceparentUse(env),
    brokerUrl: env.clusterUrl('BROKER_URL', 'amqp://api@127.0.0.1:5672', ['amqp:', 'amqps:'], 'BROKER_PASSWORD'),
    databaseUrl: env.clusterUrl(
      'DATABASE_URL',
      'postgres://clicktally_api@127.0.0.1:5432/clicktally',
      ['postgres:', 'postgresql:'],
      'DATABASE_PASSWORD',
    ),
    // Of a standby, or of addresses that lead to one, with the same role and password.
    readDatabaseUrl: env.optionalText('READ_DATABASE_URL') && readDatabaseUrl(env),
    readDatabaseMaxLagMs: env.integer('READ_DATABASE_MAX_LAG_MS', 5_000, 500, 3_600_000),
    // The other ones.
    cells: otherCells(env),
    databaseConnections: env.integer('DATABASE_CONNECTIONS', 10, 1, 100),
    maxLiveViewers: env.integer('MAX_LIVE_VIEWERS', 2_000, 1, 100_000),
    // Answers requests without a key, for the first project. nginx must listen on loopback alone.
    isOpen: env.choice('CLICKTALLY_OPEN', 'no', ['no', 'loopback']) === 'loopback',
  }
  env.check()
  return config
}

/** By the name of the cell. */
function otherCells(env: Environment): ReadonlyMap<string, { databaseUrl: string; brokerUrl: string }> {
  const databases = env.cellUrls('CELL_DATABASE_URLS', {
    example: 'eu=postgres://postgres-eu:5432/clicktally',
    ...{ protocols: ['postgres:', 'postgresql:'], user: 'clicktally_api', passwordName: 'DATABASE_PASSWORD' },
  })
  const brokers = env.cellUrls('CELL_BROKER_URLS', {
    example: 'eu=amqp://rabbitmq-eu:5672',
    ...{ protocols: ['amqp:', 'amqps:'], user: 'api', passwordName: 'BROKER_PASSWORD' },
  })
  if (new Set([...databases.keys(), ...brokers.keys()]).size !== databases.size || databases.size !== brokers.size) {
    env.reject('CELL_DATABASE_URLS and CELL_BROKER_URLS must name the same cells')
  }
  return new Map(
    Array.from(databases, ([cell, databaseUrl]) => [cell, { databaseUrl, brokerUrl: brokers.get(cell) ?? '' }]),
  )
}

function readDatabaseUrl(env: Environment): string {
  const example = 'postgres://clicktally_api@127.0.0.1:5433/clicktally'
  return env.clusterUrl('READ_DATABASE_URL', example, ['postgres:', 'postgresql:'], 'DATABASE_PASSWORD')
}
