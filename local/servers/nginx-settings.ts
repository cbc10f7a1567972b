import { isIPv4 } from 'node:net'

/** An address of this machine, an IPv6 one in brackets, and a TCP port. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** What nginx serves, to whom and how much. Limits apply to each client: an IPv4 address or an IPv6 /64 network. */
export interface NginxSettings {
  /** For plain HTTP. With TLS it redirects. */
  readonly listen: ListenAddress
  /** For HTTPS, if there is TLS. */
  readonly listenTls: ListenAddress
  readonly tls: 'off' | 'self-signed' | 'certificate'
  /** Paths of PEM files, for the choice `certificate`. */
  readonly tlsCertificate: string | undefined
  readonly tlsKey: string | undefined
  /** Host names besides localhost, 127.0.0.1 and [::1]. Requests for any other are answered 421. */
  readonly hosts: readonly string[]
  /** Addresses and networks of proxies whose X-Forwarded-For is trusted. */
  readonly trustedProxies: readonly string[]
  /** Where the snippet for web pages is served. Ends with .js; the module has .mjs instead. */
  readonly scriptPath: string
  /** Sustained rate; bursts may be twice as large. Above it: 429. */
  readonly requestsPerSecond: number
  /** The same for each key, over all addresses that use it. */
  readonly requestsPerSecondPerKey: number
  /** Concurrent requests. Above it: 429. */
  readonly requestsAtOnce: number
  /** Of those, requests to /v1/events/batch and /v1/backfill, whose bodies may have 1 MiB each. */
  readonly batchesAtOnce: number
  /** Of those, requests that may query the database. */
  readonly readsAtOnce: number
}

/** Far above what the people behind one address send, and far below what a machine with two cores handles. */
export const defaultNginxSettings: NginxSettings = {
  listen: { host: '127.0.0.1', port: 8080 },
  listenTls: { host: '127.0.0.1', port: 8443 },
  tls: 'off',
  tlsCertificate: undefined,
  tlsKey: undefined,
  hosts: [],
  trustedProxies: [],
  scriptPath: '/tally.js',
  requestsPerSecond: 2_000,
  requestsPerSecondPerKey: 10_000,
  requestsAtOnce: 256,
  batchesAtOnce: 32,
  readsAtOnce: 32,
}

/** For load generators, which have one address: limits that they cannot reach. */
export const nginxForLoadTests: NginxSettings = {
  ...defaultNginxSettings,
  requestsPerSecond: 1_000_000,
  requestsPerSecondPerKey: 1_000_000,
  requestsAtOnce: 10_000,
  batchesAtOnce: 10_000,
  readsAtOnce: 10_000,
}

/** The values for nginx.conf.template. infra/nginx/settings.envsh does the same for the containers. */
export function nginxValues(settings: NginxSettings): Record<string, string> {
  const hasTls = settings.tls !== 'off'
  return {
    NGINX_IF_PLAIN: onlyIf(!hasTls),
    NGINX_IF_TLS: onlyIf(hasTls),
    NGINX_TLS_PORT: String(settings.listenTls.port),
    NGINX_SCRIPT: settings.scriptPath.replace(/\.js$/, ''),
    NGINX_HOSTS: settings.hosts.join(' '),
    NGINX_TRUSTED_PROXIES: settings.trustedProxies.map((proxy) => `set_real_ip_from ${proxy};`).join(' '),
    NGINX_REQUESTS_PER_SECOND: String(settings.requestsPerSecond),
    NGINX_REQUESTS_BURST: String(settings.requestsPerSecond * 2),
    NGINX_REQUESTS_PER_SECOND_PER_KEY: String(settings.requestsPerSecondPerKey),
    NGINX_REQUESTS_BURST_PER_KEY: String(settings.requestsPerSecondPerKey * 2),
    NGINX_REQUESTS_AT_ONCE: String(settings.requestsAtOnce),
    NGINX_BATCHES_AT_ONCE: String(settings.batchesAtOnce),
    NGINX_READS_AT_ONCE: String(settings.readsAtOnce),
  }
}

/** The start of a line of the template: a comment sign, unless the line applies. */
export function onlyIf(applies: boolean): string {
  return applies ? '' : '#'
}

/** `127.0.0.1:8080`, `[::1]:8080`; undefined for anything else. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const [, host = '', digits] = /^([\d.]{7,15}|\[[0-9a-f:.]{2,39}\]):(\d{1,5})$/i.exec(text) ?? []
  const port = Number(digits)
  const isAddress = host.startsWith('[') ? URL.canParse(`http://${host}`) : isIPv4(host)
  return isAddress && port >= 1 && port <= 65_535 ? { host, port } : undefined
}

/** Whether only programs on this machine can connect to the address. */
export function isLoopback({ host }: ListenAddress): boolean {
  return host === '[::1]' || (isIPv4(host) && host.startsWith('127.'))
}

/** The address that programs on this machine connect to. Differs where nginx listens on all addresses. */
export function localHost({ host }: ListenAddress): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host.startsWith('[') && /^\[[0:]+\]$/.test(host) ? '[::1]' : host
}

/** Where clients on this machine find the system: `http://127.0.0.1:8080`. */
export function baseUrlOf({ tls, listen, listenTls }: NginxSettings): string {
  return tls === 'off'
    ? `http://${localHost(listen)}:${listen.port}`
    : `https://${localHost(listenTls)}:${listenTls.port}`
}
