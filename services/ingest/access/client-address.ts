import type { IncomingHttpHeaders } from 'node:http'
import { isIPv4, isIPv6 } from 'node:net'

/**
 * The client's address, which nginx sets: IPv4, or IPv6 if it is not a mapped IPv4 address. Undefined if the request did not come
 * through nginx.
 */
export function clientAddress(headers: IncomingHttpHeaders): string | undefined {
  const address = headers['x-forwarded-for']
  return typeof address === 'string' ? plainAddress(address) : undefined
}

/** An address without the notation of IPv4 in IPv6; undefined if it is not an address. */
export function plainAddress(address: string): string | undefined {
  if (isIPv4(address)) return address
  if (!isIPv6(address)) return undefined
  const [, mapped] = /^::ffff:([\d.]+)$/i.exec(address) ?? []
  return mapped ?? address
}
