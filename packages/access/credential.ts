import type { IncomingHttpHeaders } from 'node:http'
import type { ServiceProblem } from '@clicktally/http/service-problem.ts'
import { whyNotFound } from '@clicktally/keys/key-ring.ts'
import { hasRight, type KeyRole, type Right } from '@clicktally/keys/roles.ts'
import { accessProblem } from './access-problems.ts'

/** What a request authenticates with: the text of a key, or the value of a session cookie. */
export type Credential =
  | { readonly kind: 'key'; readonly text: string }
  | { readonly kind: 'session'; readonly token: string }

/**
 * The name of the session cookie. With the prefix `__Host-` browsers take it only over HTTPS or from localhost, for this host
 * alone and for every path: no other subdomain can set or read it.
 */
export const sessionCookie = '__Host-clicktally'

/**
 * The credential of a request: `Authorization: Bearer <key>`, else the session cookie.
 *
 * @returns undefined if there is none
 * @throws {ServiceProblem} key_malformed if the header has another form
 */
export function credentialOf({ authorization, cookie }: IncomingHttpHeaders): Credential | undefined {
  if (authorization !== undefined) {
    const [, text] = /^Bearer +([\w-]+) *$/i.exec(authorization) ?? []
    if (text === undefined) {
      throw accessProblem('key_malformed', 'The Authorization header must have the form "Bearer ct_…".')
    }
    return { kind: 'key', text }
  }
  for (const pair of cookie?.split(';') ?? []) {
    const [name, token = ''] = pair.trim().split('=', 2)
    if (name === sessionCookie && /^[\w-]{43}$/.test(token)) return { kind: 'session', token }
  }
  return undefined
}

export function credentialRequired(): ServiceProblem {
  return accessProblem('key_missing', 'Send the header "Authorization: Bearer <key>".')
}

/** The problem for a text that matches no valid key. */
export function invalidKey(text: string): ServiceProblem {
  return whyNotFound(text) === 'malformed'
    ? accessProblem('key_malformed', 'The text is not a key: part of it is missing or mistyped. Copy the key again.')
    : accessProblem('key_unknown', 'The key is unknown, revoked or expired. An owner can create a new key.')
}

/** @throws {ServiceProblem} right_missing */
export function requireRight(role: KeyRole, right: Right): void {
  if (!hasRight(role, right)) {
    throw accessProblem(
      'right_missing',
      `The role "${role}" does not have the right "${right}" that this operation needs.`,
    )
  }
}

/**
 * Refuses a change that a page of another site made the browser send with the user's cookie. Browsers send Sec-Fetch-Site, which
 * pages cannot set; older ones send Origin.
 *
 * @throws {ServiceProblem} cross_site_request
 */
export function requireSameOrigin(headers: IncomingHttpHeaders): void {
  const site = headers['sec-fetch-site']
  const origin = headers.origin
  const sameOrigin =
    site !== undefined ? site === 'same-origin' : origin !== undefined && URL.parse(origin)?.host === headers.host
  if (!sameOrigin) {
    throw accessProblem('cross_site_request', 'With a session, changes are accepted only from a page of this server.')
  }
}
