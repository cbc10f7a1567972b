import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isIPv4 } from 'node:net'
import { derivedVisitorPrefix } from '@clicktally/event/event-fields.ts'
import type { KeyRing } from '@clicktally/keys/key-ring.ts'
import type { SnapshotKey } from '@clicktally/keys/key-snapshot.ts'
import { plainAddress } from './client-address.ts'

const dayMs = 86_400_000
/** Characters of the HMAC in base64url: 96 bits, enough to avoid collisions. With the prefix, an id has 24 characters. */
const idChars = 16

/**
 * Derives a visitor for clicks from web pages without `visitorId`: a pseudonym of the project, the client's network and its user
 * agent, keyed with the salt of the day. It differs from day to day and from project to project. Once the salt is deleted, the
 * pseudonym cannot be traced to an address, not even by trying all addresses. The address and the user agent are not stored.
 *
 * All ingests have the same salts, so they derive the same visitor.
 */
export class DerivedVisitors {
  readonly #ring: KeyRing
  /** The last salt, as a KeyObject: createHmac() is ten times as fast with it. */
  #salt: { readonly day: number; readonly version: number | undefined; readonly key: KeyObject } | undefined

  constructor(ring: KeyRing) {
    this.#ring = ring
  }

  /**
   * Returns a function that derives the visitor of a request's clicks, lazily and only once. Undefined if no visitor can be
   * derived: the key is not for browsers, or the request did not come through nginx.
   *
   * @param startedAtMs the start of the request by the clock of nginx, in milliseconds since 1970. A retry has the same UTC day
   */
  derivationFor(
    { role, projectId }: SnapshotKey,
    headers: IncomingHttpHeaders,
    startedAtMs: number,
  ): (() => string | undefined) | undefined {
    // nginx sets this to the client's address.
    const address = headers['x-forwarded-for']
    if (role !== 'write' || typeof address !== 'string') return undefined
    let visitor: string | undefined
    let isDerived = false
    return () => {
      if (!isDerived) visitor = this.#derive(projectId, address, headers['user-agent'] ?? '', startedAtMs)
      isDerived = true
      return visitor
    }
  }

  /** Undefined if the project does not derive visitors, the address is invalid, or the day's salt is unknown. */
  #derive(projectId: number, address: string, userAgent: string, startedAtMs: number): string | undefined {
    if (this.#ring.project(projectId)?.derivesVisitors !== true) return undefined
    const network = networkOf(address)
    const salt = this.#saltOf(Math.floor(startedAtMs / dayMs))
    if (network === undefined || salt === undefined) return undefined
    // The separator is unambiguous, because neither a number nor a network contains it.
    const hmac = createHmac('sha256', salt).update(`${projectId}|${network}|${userAgent}`).digest('base64url')
    return derivedVisitorPrefix + hmac.slice(0, idChars)
  }

  #saltOf(day: number): KeyObject | undefined {
    const { version } = this.#ring
    if (this.#salt?.day === day && this.#salt.version === version) return this.#salt.key
    const salt = this.#ring.visitorSalt(new Date(day * dayMs).toISOString().slice(0, 10))
    this.#salt = salt === undefined ? undefined : { day, version, key: createSecretKey(salt, 'base64url') }
    return this.#salt?.key
  }
}

/**
 * The network of one subscriber: an IPv4 address, or the first 64 bits of an IPv6 address, within which devices change their
 * address several times a day. All notations of an address give the same text.
 *
 * @returns undefined if it is not an address
 */
export function networkOf(address: string): string | undefined {
  const plain = plainAddress(address)
  if (plain === undefined || isIPv4(plain)) return plain
  const [head = '', tail] = (plain.split('%', 1)[0] ?? '').split('::')
  const before = groupsOf(head)
  const after = groupsOf(tail ?? '')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0)
  return [...before, ...zeros, ...after]
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')
}

/** The 16-bit groups of one side of the "::". An IPv4 address at the end is two groups, here zeros. */
function groupsOf(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => (group.includes('.') ? [0, 0] : [Number.parseInt(group, 16)]))
}
