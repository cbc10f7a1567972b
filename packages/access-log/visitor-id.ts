import { createHmac } from 'node:crypto'

/**
 * 16 hex digits that stand for the visitor of an address: HMAC-SHA-256 with a key of the operator's, cut to 64 bits. The same
 * address and key give the same id. Without the key nobody can tell the address from the id: there are so few addresses
 * that a plain hash of each is made in seconds.
 *
 * @param key see {@link readVisitorKey}
 */
export function visitorIdFor(address: string, key: Buffer): string {
  return createHmac('sha256', key).update(address).digest('hex').slice(0, 16)
}
