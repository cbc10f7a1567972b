import { type LookupAddress, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Addresses of the internet: 2000::/3. Everything else is local or reserved. */
const globalV6 = ipaddr.IPv6.parseCIDR('2000::/3')

/** A webhook leads to an address that is not public: to this machine, to a network behind it, or to a cloud's metadata. */
export class AddressRefused extends Error {
  readonly code = 'ADDRESS_REFUSED'

  constructor(host: string) {
    super(`${host} is not a public address`)
    this.name = 'AddressRefused'
  }
}

/**
 * Whether an address belongs to the internet: not loopback, private, link-local, multicast or reserved, and no IPv6 form of such
 * an IPv4 address.
 */
export function isPublicAddress(text: string): boolean {
  // ipaddr.js also reads 127.1, as some programs do.
  if (isIP(text) === 0) return false
  const address = ipaddr.parse(text)
  if (address instanceof ipaddr.IPv6 && !address.match(globalV6)) return false
  return address.range() === 'unicast'
}

/**
 * Resolves a host name for a connection, which is then opened to the very address that was checked here: a name that resolves to
 * another address a moment later gains nothing.
 */
export const lookupPublic: LookupFunction = (host, options, callback) => {
  lookup(host, { ...options, all: true }, (error, addresses) => {
    const found = error === null ? addresses.filter(({ address }) => isPublicAddress(address)) : []
    const [first] = found
    if (error !== null) callback(error, '')
    else if (first === undefined) callback(new AddressRefused(host), '')
    else if (options.all) callback(null, found as LookupAddress[])
    else callback(null, first.address, first.family)
  })
}
