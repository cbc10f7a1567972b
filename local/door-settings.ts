/** What nginx serves and to whom. A limit is for each client: an IPv4 address, or an IPv6 network of 64 bits. */
export interface DoorSettings {
  /** Host names besides localhost, 127.0.0.1 and [::1]; what comes by another gets 421. */
  readonly hosts: readonly string[]
  /** Addresses and networks of proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[]
  /** In the long run; twice as many may come in a burst. Past it: 429. */
  readonly requestsPerSecond: number
  /** Requests that are being received or answered at the same time. Past it: 429. */
  readonly requestsAtOnce: number
  /** Of those, requests to /v1/events/batch and /v1/backfill, whose bodies may take 1 MiB each. */
  readonly batchesAtOnce: number
  /** Of those, requests that may ask the database. */
  readonly readsAtOnce: number
}

/** Far above what people behind one address send, and far below what a machine of two cores takes. */
export const defaultDoorSettings: DoorSettings = {
  hosts: [],
  trustedProxies: [],
  requestsPerSecond: 2_000,
  requestsAtOnce: 256,
  batchesAtOnce: 32,
  readsAtOnce: 32,
}

/** For generators of load, which have one address: no limit that they could reach. */
export const doorForLoadTests: DoorSettings = {
  ...defaultDoorSettings,
  requestsPerSecond: 1_000_000,
  requestsAtOnce: 10_000,
  batchesAtOnce: 10_000,
  readsAtOnce: 10_000,
}

/** The values for nginx.conf.template. infra/nginx/settings.envsh makes the same for the containers. */
export function doorValues(door: DoorSettings): Record<string, string> {
  return {
    NGINX_HOSTS: door.hosts.join(' '),
    NGINX_TRUSTED_PROXIES: door.trustedProxies.map((proxy) => `set_real_ip_from ${proxy};`).join(' '),
    NGINX_REQUESTS_PER_SECOND: String(door.requestsPerSecond),
    NGINX_REQUESTS_BURST: String(door.requestsPerSecond * 2),
    NGINX_REQUESTS_AT_ONCE: String(door.requestsAtOnce),
    NGINX_BATCHES_AT_ONCE: String(door.batchesAtOnce),
    NGINX_READS_AT_ONCE: String(door.readsAtOnce),
  }
}
