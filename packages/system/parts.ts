/** Rights at the broker. packages/broker/definitions.ts tells which exchanges and queues each of them covers. */
export type BrokerRights = 'publish clicks' | 'publish keys' | 'process clicks' | 'read live clicks' | 'administer'

/** A Docker network. Two parts can connect only if they share one. */
export type Network = 'front' | 'http' | 'broker' | 'database' | 'outgoing' | 'observability'

/** The servers that our programs log in to. */
export type Server = 'rabbitmq' | 'postgres'

/** A password or key. Secrets with the same `id` are the same, in however many folders they have a file. */
export interface Secret {
  readonly id: string
  readonly file: string
  /** The environment variable that holds it. With `_FILE` appended, it holds the path of the file. */
  readonly variable?: string
}

/** One part of the system: a service in docker-compose.yml. */
export interface Part {
  /** The folder of its workspace package, which has a main.ts. Either this or `image`. */
  readonly folder?: string
  /** The image that is used unchanged, or with `content` added. */
  readonly image?: string
  /** The folder of the workspace package whose built files its image contains. */
  readonly content?: string
  /**
   * - `always`: restarted when it ends
   * - `at start`: runs to its end at each start of the system; the parts that need it wait
   * - `on demand`: run by people or by a scheduler
   */
  readonly run: 'always' | 'at start' | 'on demand'
  /** The profile of docker compose that it belongs to. Default: none, so that it is always part of the system. */
  readonly profile?: 'tools' | 'observability'
  /** The TCP port in its container. The local run uses free ports instead, except for nginx. */
  readonly port?: number
  /** The ports of its container that are published on the machine. */
  readonly publishedPorts?: readonly string[]
  /** Its networks besides those of the servers that it logs in to. nginx passes requests on to the services in `http`. */
  readonly networks?: readonly Network[]
  /** The name of its user at the broker, and of the folder that holds its secrets. */
  readonly account?: string
  readonly broker?: BrokerRights
  /** Its role at the database. `clicktally` is the owner. */
  readonly database?: string
  /** Secrets besides the passwords of its own user and role. */
  readonly secrets?: readonly Secret[]
  /** Environment variables that are passed through to it. `.env.example` describes each. */
  readonly settings?: readonly string[]
  /** The prefix of the names of its variables for servers and secrets. */
  readonly variablePrefix?: string
}

export const databaseOwner = 'clicktally'
export const databaseName = 'clicktally'

/** Where archives of raw clicks are: packages/archive/archive-settings.ts. */
const archiveSettings = [
  'ARCHIVE_URL',
  'ARCHIVE_S3_ENDPOINT',
  'ARCHIVE_S3_REGION',
  'ARCHIVE_S3_STORAGE_CLASS',
  'ARCHIVE_S3_ACCESS_KEY_ID',
  'ARCHIVE_S3_SECRET_ACCESS_KEY',
  'ARCHIVE_S3_SECRET_ACCESS_KEY_FILE',
] as const

/** How traces are recorded and sent: packages/tracing/trace-settings.ts. */
const traceSettings = [
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_HEADERS',
  'OTEL_TRACES_SAMPLER',
  'OTEL_TRACES_SAMPLER_ARG',
] as const

/** Of a service whose requests are traced. */
const requestTraceSettings = [...traceSettings, 'CLICKTALLY_TRACEPARENT'] as const

/** Every part of the system, in the order in which they start. */
export const parts = {
  secrets: { folder: 'infra/secrets', run: 'at start' },
  rabbitmq: {
    image: 'rabbitmq:4-management',
    run: 'always',
    port: 5672,
    networks: ['broker'],
    account: 'rabbitmq',
    secrets: [{ id: 'erlang cookie', file: 'erlang-cookie' }],
  },
  postgres: {
    image: 'postgres:18',
    run: 'always',
    port: 5432,
    networks: ['database'],
    account: 'postgres',
    secrets: [
      { id: `database role ${databaseOwner}`, file: 'owner-password', variable: 'POSTGRES_PASSWORD' },
      // Used only in a cluster: of the standby, and to change which server is the primary.
      { id: 'database role clicktally_replication', file: 'replication-password' },
      { id: 'patroni', file: 'patroni-password' },
    ],
  },
  migrate: {
    folder: 'migrations',
    run: 'at start',
    account: 'migrate',
    database: databaseOwner,
    settings: ['LOG_LEVEL'],
  },
  processor: {
    folder: 'services/processor',
    run: 'always',
    port: 3000,
    account: 'processor',
    broker: 'process clicks',
    database: 'clicktally_processor',
    settings: [
      'LOG_LEVEL',
      ...traceSettings,
      'BATCH_MAX_CLICKS',
      'BATCH_FLUSH_AFTER_MS',
      'PREFETCH',
      'BROKER_REQUEUES_WITHIN_MS',
      'REGION',
      'LIVE_BROKER_URL',
    ],
  },
  notifier: {
    folder: 'services/notifier',
    run: 'always',
    port: 3000,
    // The only service that connects to other servers.
    networks: ['outgoing'],
    account: 'notifier',
    database: 'clicktally_notifier',
    settings: ['LOG_LEVEL', 'CLICKTALLY_WEBHOOK_ADDRESSES'],
  },
  ingest: {
    folder: 'services/ingest',
    run: 'always',
    port: 3000,
    networks: ['http'],
    account: 'ingest',
    broker: 'publish clicks',
    settings: [
      'LOG_LEVEL',
      ...requestTraceSettings,
      'CLICK_WINDOW_HOURS',
      'CONFIRM_WITHIN_MS',
      'MAX_HELD_CLICKS',
      'MAX_HELD_BYTES',
      'CELL_BROKER_URLS',
      'CLICKTALLY_COUNTRY_HEADER',
      'CLICKTALLY_COUNTRY_FILE',
      'CLICKTALLY_OPEN',
    ],
  },
  auth: {
    folder: 'services/auth',
    run: 'always',
    port: 3000,
    networks: ['http'],
    account: 'auth',
    broker: 'publish keys',
    database: 'clicktally_auth',
    secrets: [{ id: 'first access', file: 'first-access', variable: 'FIRST_ACCESS' }],
    settings: [
      'LOG_LEVEL',
      ...requestTraceSettings,
      'DATABASE_CONNECTIONS',
      'CELL_DATABASE_URLS',
      'REGION_BROKER_URLS',
      'CLICKTALLY_WEBHOOK_ADDRESSES',
    ],
  },
  api: {
    folder: 'services/api',
    run: 'always',
    port: 3000,
    networks: ['http'],
    account: 'api',
    broker: 'read live clicks',
    database: 'clicktally_api',
    settings: [
      'LOG_LEVEL',
      ...requestTraceSettings,
      'READ_DATABASE_URL',
      'READ_DATABASE_MAX_LAG_MS',
      'DATABASE_CONNECTIONS',
      'CELL_DATABASE_URLS',
      'CELL_BROKER_URLS',
      'MAX_LIVE_VIEWERS',
      'CLICKTALLY_OPEN',
    ],
  },
  janitor: {
    folder: 'services/janitor',
    run: 'always',
    port: 3000,
    // Where Prometheus is, and, besides that of nginx, the only one that leads outside: to S3.
    networks: ['observability'],
    account: 'janitor',
    database: 'clicktally_janitor',
    settings: [
      'LOG_LEVEL',
      'JANITOR_EVERY',
      ...archiveSettings,
      'KEEP_DEAD_LETTERS_DAYS',
      'KEEP_AUDIT_LOG_DAYS',
      'KEEP_PRODUCERS_DAYS',
    ],
  },
  nginx: {
    image: 'nginx:1.30',
    content: 'web',
    run: 'always',
    port: 8080,
    publishedPorts: ['8080', '8081', '8443', '8443/udp'],
    networks: ['front', 'http'],
    settings: [
      'CLICKTALLY_OPEN',
      'CLICKTALLY_LISTEN',
      'CLICKTALLY_LISTEN_TLS',
      'CLICKTALLY_TLS',
      'CLICKTALLY_TLS_CERTIFICATE',
      'CLICKTALLY_TLS_KEY',
      'CLICKTALLY_HOSTS',
      'CLICKTALLY_TRUSTED_PROXIES',
      'CLICKTALLY_SCRIPT_PATH',
      'CLICKTALLY_REQUESTS_PER_SECOND',
      'CLICKTALLY_REQUESTS_PER_SECOND_PER_KEY',
      'CLICKTALLY_REQUESTS_AT_ONCE',
      'CLICKTALLY_BATCHES_AT_ONCE',
      'CLICKTALLY_READS_AT_ONCE',
    ],
  },
  prometheus: {
    image: 'prom/prometheus:v3.5.0',
    run: 'always',
    profile: 'observability',
    publishedPorts: ['9090'],
    // Every service that has metrics is in one of the first three.
    networks: ['http', 'broker', 'outgoing', 'observability'],
  },
  alertmanager: {
    image: 'prom/alertmanager:v0.28.1',
    run: 'always',
    profile: 'observability',
    publishedPorts: ['9093'],
    networks: ['observability'],
  },
  grafana: {
    image: 'grafana/grafana:12.1.0',
    run: 'always',
    profile: 'observability',
    publishedPorts: ['3000'],
    networks: ['observability'],
  },
  cli: {
    folder: 'cli',
    run: 'on demand',
    profile: 'tools',
    // The second for archives in S3.
    networks: ['http', 'observability'],
    account: 'operator',
    broker: 'administer',
    database: 'clicktally_operator',
    secrets: [
      { id: 'key owner', file: 'owner-key', variable: 'CLICKTALLY_KEY' },
      { id: 'key write', file: 'first-write-key' },
      { id: 'key secret', file: 'first-secret-key' },
      { id: 'key read', file: 'first-read-key' },
      { id: 'password of the first owner', file: 'first-owner-password' },
    ],
    settings: ['CLICKTALLY_CELL_DATABASE_URLS', 'CLICKTALLY_CELL_BROKER_URLS', ...archiveSettings],
    variablePrefix: 'CLICKTALLY_',
  },
} as const satisfies Record<string, Part>

export type PartName = keyof typeof parts
type Named<Columns> = { [Name in PartName]: (typeof parts)[Name] extends Columns ? Name : never }[PartName]

/** A part in a folder below services/. */
export type ServiceName = Named<{ folder: `services/${string}` }>
export type BrokerUser = (typeof parts)[Named<{ broker: BrokerRights }>]['account']
/** The accounts that log in to the database, except the owner's. */
export type DatabaseAccount = (typeof parts)[Exclude<Named<{ database: string }>, 'migrate'>]['account']

export const partEntries = Object.entries(parts) as [PartName, Part][]

export const serviceNames = partEntries
  .filter(([, { folder }]) => folder?.startsWith('services/'))
  .map(([name]) => name) as ServiceName[]

/** The services that nginx passes requests on to. */
export const upstreamNames = serviceNames.filter((name) => (parts[name] as Part).networks?.includes('http'))
