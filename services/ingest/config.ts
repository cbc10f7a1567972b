import { Environment } from '@clicktally/config/environment.ts'
import { readHttpSettings } from '@clicktally/http/http-settings.ts'
import { readTraceparentUse, readTraceSettings } from '@clicktally/tracing/trace-settings.ts'

/** The ingest service's settings, from environment variables; `.env.example` explains each. */
export function readConfig(source: NodeJS.ProcessEnv) {
  const env = new Environment(source)
  const protocols = ['amqp:', 'amqps:']
  const cellBrokerUrls = env.cellUrls('CELL_BROKER_URLS', {
    example: 'eu=amqp://rabbitmq-eu:5672',
    ...{ protocols, user: 'ingest', passwordName: 'BROKER_PASSWORD' },
  })
  const cells = cellBrokerUrls.size + 1
  const config = {
    ...readHttpSettings(env),
    traces: readTraceSettings(env),
    traceparentUse: readTraceparentUse(env),
    brokerUrl: env.clusterUrl('BROKER_URL', 'amqp://ingest@127.0.0.1:5672', protocols, 'BROKER_PASSWORD'),
    cellBrokerUrls,
    windowMs: env.integer('CLICK_WINDOW_HOURS', 72, 1, 168) * 3_600_000,
    // Accepts clicks without a key, for the first project. nginx must listen on loopback alone.
    isOpen: env.choice('CLICKTALLY_OPEN', 'no', ['no', 'loopback']) === 'loopback',
    // Node has the names of headers in lower case.
    countryHeader: env.parsed(
      'CLICKTALLY_COUNTRY_HEADER',
      undefined,
      headerName,
      'the name of a header, such as CF-IPCountry',
    ),
    countryFile: env.optionalText('CLICKTALLY_COUNTRY_FILE'),
    publisher: {
      // Shorter than nginx's 8 s and a client's usual 10 s, so that the 503 arrives before they time out.
      confirmWithinMs: env.integer('CONFIRM_WITHIN_MS', 4_000, 100, 60_000),
      // Clicks that wait for a confirm are all that ingest keeps in memory. Above these limits it answers 503 at once.
      // Each cell may use its share, so that one that is slow takes nothing from the others; at least a batch.
      maxHeldClicks: Math.max(500, Math.floor(env.integer('MAX_HELD_CLICKS', 50_000, 500, 10_000_000) / cells)),
      // Plus the confirm deadline, this is how long an idle ingest may not notice a broken queue.
      probeEveryMs: 5_000,
      maxHeldBytes: Math.max(
        1_048_576,
        Math.floor(env.integer('MAX_HELD_BYTES', 33_554_432, 1_048_576, 1_073_741_824) / cells),
      ),
    },
  }
  env.check()
  return config
}

function headerName(text: string): string | undefined {
  return /^[A-Za-z][\w-]{0,63}$/.test(text) ? text.toLowerCase() : undefined
}
