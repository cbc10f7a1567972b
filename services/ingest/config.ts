import { Environment } from '@clicktally/config/environment.ts'
import { readHttpSettings } from '@clicktally/http/http-settings.ts'

/** The ingest service's settings, from environment variables; `.env.example` explains each. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const config = {
    ...readHttpSettings(env),
    brokerUrl: env.serverUrl('BROKER_URL', 'amqp://ingest@127.0.0.1:5672', ['amqp:', 'amqps:'], 'BROKER_PASSWORD'),
    windowMs: env.integer('CLICK_WINDOW_HOURS', 72, 1, 720) * 3_600_000,
    publisher: {
      // Shorter than nginx's 8 s and a client's usual 10 s, so that the 503 arrives while somebody still listens.
      confirmWithinMs: env.integer('CONFIRM_WITHIN_MS', 4_000, 100, 60_000),
      // What waits for a confirm is all that ingest keeps in memory: past these it answers 503 at once.
      maxHeldClicks: env.integer('MAX_HELD_CLICKS', 50_000, 500, 10_000_000),
      // With the confirm deadline on top, the longest that an idle ingest can take a broken queue for a working one.
      probeEveryMs: 5_000,
      maxHeldBytes: env.integer('MAX_HELD_BYTES', 33_554_432, 1_048_576, 1_073_741_824),
    },
  }
  env.check()
  return config
}
