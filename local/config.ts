import { Environment } from '@clicktally/config/environment.ts'
import { type DoorSettings, defaultDoorSettings } from './door-settings.ts'

/** A host name, with a wildcard as nginx's server_name takes it, or an address; an IPv6 one in brackets. */
const hostForm = /^((\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]{2,39}\])$/i
const networkForm = /^[0-9a-f.:]{2,39}(\/\d{1,3})?$/i
/** As many as nginx's counters can take. */
const mostRequests = 1_000_000
/** As many as nginx takes connections, and more than it has room for in memory. */
const mostAtOnce = 65_535

/**
 * What nginx serves, from the environment of `npm start`.
 * @throws {ConfigurationError} that names every variable that is wrong.
 */
export function readConfig(source: NodeJS.ProcessEnv): DoorSettings {
  const env = new Environment(source)
  const { requestsPerSecond, requestsAtOnce, batchesAtOnce, readsAtOnce } = defaultDoorSettings
  const door: DoorSettings = {
    hosts: env.words('CLICKTALLY_HOSTS', hostForm, 'counts.example.org, 192.0.2.7'),
    trustedProxies: env.words('CLICKTALLY_TRUSTED_PROXIES', networkForm, '192.0.2.7, 10.0.0.0/8'),
    requestsPerSecond: env.integer('CLICKTALLY_REQUESTS_PER_SECOND', requestsPerSecond, 1, mostRequests),
    requestsAtOnce: env.integer('CLICKTALLY_REQUESTS_AT_ONCE', requestsAtOnce, 1, mostAtOnce),
    batchesAtOnce: env.integer('CLICKTALLY_BATCHES_AT_ONCE', batchesAtOnce, 1, mostAtOnce),
    readsAtOnce: env.integer('CLICKTALLY_READS_AT_ONCE', readsAtOnce, 1, mostAtOnce),
  }
  env.check()
  return door
}
