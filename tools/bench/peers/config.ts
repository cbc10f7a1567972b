import { Environment } from '@clicktally/config/environment.ts'
import { readHttpSettings } from '@clicktally/http/http-settings.ts'

/** The settings of all alternative designs. Each uses those that it needs. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    ...readHttpSettings(env),
    windowMs: env.integer('CLICK_WINDOW_HOURS', 72, 1, 168) * 3_600_000,
    brokerUrl: env.serverUrl('BROKER_URL', 'amqp://operator@127.0.0.1:5672/bench', ['amqp:']),
    queue: env.text('QUEUE', 'clicks'),
    databaseUrl: env.serverUrl('DATABASE_URL', 'postgres://clicktally@127.0.0.1:5432/bench', ['postgres:']),
    redisUrl: env.serverUrl('REDIS_URL', 'redis://127.0.0.1:6379', ['redis:']),
  }
  env.check()
  return config
}

export type PeerConfig = ReturnType<typeof readConfig>
