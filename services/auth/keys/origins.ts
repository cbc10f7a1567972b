import type { KeyRole } from '@clicktally/keys/roles.ts'
import { problem } from '../errors.ts'

/**
 * Validates origins and normalizes them to the form that browsers send.
 *
 * @throws {ServiceProblem} origin_invalid, origins_required
 */
export function readOrigins(role: KeyRole, origins: readonly string[]): string[] {
  if (role === 'write' && origins.length === 0) {
    throw problem(
      'origins_required',
      'List the origins of the pages that use this key, such as https://shop.example, or "*" for every page.',
      { field: 'origins' },
    )
  }
  return [...new Set(origins.map(readOrigin))]
}

function readOrigin(text: string): string {
  if (text === '*') return text
  const url = URL.parse(text)
  const isOrigin =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    !url.host.includes('*') &&
    [url.origin, `${url.origin}/`].includes(text.toLowerCase())
  if (!isOrigin) {
    throw problem(
      'origin_invalid',
      `"${text.slice(0, 100)}" is not an origin. It must be a scheme, a host and, if it is not the default, a port: https://shop.example:8443`,
      { field: 'origins' },
    )
  }
  return url.origin
}
