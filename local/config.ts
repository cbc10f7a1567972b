import { Environment } from '@clicktally/config/environment.ts'
import {
  defaultNginxSettings,
  isLoopback,
  type ListenAddress,
  type NginxSettings,
  parseListenAddress,
} from './servers/nginx-settings.ts'

/** A host name, with a wildcard as nginx's server_name takes it, or an address; an IPv6 one in brackets. */
const hostForm = /^((\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]{2,39}\])$/i
const networkForm = /^[0-9a-f.:]{2,39}(\/\d{1,3})?$/i
/** Characters that need no encoding. It becomes part of the configuration. */
const scriptForm = /^(\/[\w-]+)+\.js$/
/** The largest rate that nginx accepts. */
const mostRequests = 1_000_000
/** The largest number of connections of nginx; more than its shared memory holds. */
const mostAtOnce = 65_535

/**
 * The settings of nginx, from the environment of `npm start`.
 * @throws {ConfigurationError} that names every wrong variable.
 */
export function readConfig(source: NodeJS.ProcessEnv): NginxSettings {
  const env = new Environment(source)
  const { requestsPerSecond, requestsPerSecondPerKey, requestsAtOnce, batchesAtOnce, readsAtOnce } =
    defaultNginxSettings
  const listenAt = (name: string, fallback: ListenAddress) =>
    env.parsed(name, fallback, parseListenAddress, 'an IP address and a port, like 127.0.0.1:8080 or [::1]:8080')
  const tls = env.choice('CLICKTALLY_TLS', 'off', ['off', 'self-signed', 'certificate'])
  const path = (name: string) => (tls === 'certificate' ? env.text(name) : env.optionalText(name))
  const settings: NginxSettings = {
    listen: listenAt('CLICKTALLY_LISTEN', defaultNginxSettings.listen),
    listenTls: listenAt('CLICKTALLY_LISTEN_TLS', defaultNginxSettings.listenTls),
    tls,
    tlsCertificate: path('CLICKTALLY_TLS_CERTIFICATE'),
    tlsKey: path('CLICKTALLY_TLS_KEY'),
    hosts: env.words('CLICKTALLY_HOSTS', hostForm, 'counts.example.org, 192.0.2.7'),
    trustedProxies: env.words('CLICKTALLY_TRUSTED_PROXIES', networkForm, '192.0.2.7, 10.0.0.0/8'),
    scriptPath: env.parsed(
      'CLICKTALLY_SCRIPT_PATH',
      defaultNginxSettings.scriptPath,
      (text) => (scriptForm.test(text) ? text : undefined),
      'a path like /tally.js',
    ),
    requestsPerSecond: env.integer('CLICKTALLY_REQUESTS_PER_SECOND', requestsPerSecond, 1, mostRequests),
    requestsPerSecondPerKey: env.integer(
      'CLICKTALLY_REQUESTS_PER_SECOND_PER_KEY',
      requestsPerSecondPerKey,
      1,
      mostRequests,
    ),
    requestsAtOnce: env.integer('CLICKTALLY_REQUESTS_AT_ONCE', requestsAtOnce, 1, mostAtOnce),
    batchesAtOnce: env.integer('CLICKTALLY_BATCHES_AT_ONCE', batchesAtOnce, 1, mostAtOnce),
    readsAtOnce: env.integer('CLICKTALLY_READS_AT_ONCE', readsAtOnce, 1, mostAtOnce),
  }
  // The services read it too. Only here is it known who can reach them.
  if (env.choice('CLICKTALLY_OPEN', 'no', ['no', 'loopback']) === 'loopback') {
    const addresses = {
      CLICKTALLY_LISTEN: settings.listen,
      ...(tls !== 'off' && { CLICKTALLY_LISTEN_TLS: settings.listenTls }),
    }
    for (const [name, address] of Object.entries(addresses)) {
      if (!isLoopback(address)) {
        env.reject(`CLICKTALLY_OPEN=loopback accepts requests without a key, but ${name} is no loopback address`)
      }
    }
  }
  env.check()
  return settings
}
