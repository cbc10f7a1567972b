import { createHmac } from 'node:crypto'

/**
 * Derives a visitor id of 16 hexadecimal digits from an address: HMAC-SHA-256 with a secret key, truncated to 64 bits. Equal
 * addresses and keys yield equal ids. A plain hash would not hide the address: all addresses can be hashed in seconds.
 *
 * @param key see {@link readVisitorKey}
 */
export function visitorIdFor(address: string, key: Buffer): string {
  return createHmac('sha256', key).update(address).digest('hex').slice(0, 16)
}
