import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { accessProblem } from '@clicktally/access/access-problems.ts'
import { credentialRequired, invalidKey, requireRight } from '@clicktally/access/credential.ts'
import { allowsOrigin, type KeyRing } from '@clicktally/keys/key-ring.ts'
import type { SnapshotKey, SnapshotLink } from '@clicktally/keys/key-snapshot.ts'
import type { Right } from '@clicktally/keys/roles.ts'
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { problem } from '../errors.ts'
import { KeyLimits } from './key-limits.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The key found by authorize(); undefined in routes that need no key. */
    senderKey?: SnapshotKey
  }
}

const bearer = 'Bearer '

/** Where a request has its key and origin, if not in its headers. */
interface SentKey {
  readonly text?: string | undefined
  readonly origin?: string | undefined
}

/** The key of every request in open mode, which requires that nginx listens only on loopback. */
export const openKey: SnapshotKey = { id: 'open', hash: '', role: 'secret', projectId: 1, origins: ['*'] }

/** Authorizes requests to send clicks, and determines their project. Uses only the key ring, so it needs no I/O. */
export class SenderAccess {
  readonly #ring: KeyRing
  readonly #isOpen: boolean
  readonly #limits = new KeyLimits()

  /** @param isOpen whether requests without a key are accepted, for the first project */
  constructor(ring: KeyRing, isOpen: boolean) {
    this.#ring = ring
    this.#isOpen = isOpen
  }

  /** Whether keys can be verified. */
  get isReady(): boolean {
    return this.#isOpen || !this.#ring.isEmpty
  }

  /** Resolves when keys can be verified, or after the timeout (milliseconds). */
  async untilReady(timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (!this.isReady && Date.now() < deadline) await sleep(20)
  }

  /** A hook for routes that need this right. It runs before the body is read. */
  requires(right: Right): onRequestHookHandler {
    return (request, reply, done) => {
      request.senderKey = this.authorize(request, reply, right)
      done()
    }
  }

  /**
   * A hook for routes that pages call without a preflight, so without the header Authorization. Their key may be in the query. A
   * request without a key is not refused yet: its body may have one, and the route calls authorize() with that.
   *
   * @param mayBeBasic whether the key may also be the user name of Basic authentication, where nginx does not find and limit it
   */
  requiresUnlessInBody(right: Right, mayBeBasic = false): onRequestHookHandler {
    return (request, reply, done) => {
      const { authorization, origin } = request.headers
      const text = keyInQuery(request.url)
      const basic = mayBeBasic ? userNameOf(authorization) : undefined
      if (basic !== undefined) request.senderKey = this.authorize(request, reply, right, { text: basic })
      else if (authorization !== undefined) request.senderKey = this.authorize(request, reply, right)
      else if (text !== undefined) {
        request.senderKey = this.authorize(request, reply, right, { text })
        refuseSecretInUrl(request.senderKey)
      } else if (origin !== undefined) this.#allowOrigin(origin, reply)
      done()
    }
  }

  /**
   * The key of a request that needs this right. Sets the CORS headers of the response.
   *
   * @param sent the text of the key and the origin of the page, if they are not in the headers Authorization and Origin
   * @throws {ServiceProblem} 401, 403, or 503 keys_unavailable before the first snapshot
   */
  authorize(
    request: FastifyRequest,
    reply: FastifyReply,
    right: Right,
    { text = bearerOf(request.headers.authorization), origin = request.headers.origin }: SentKey = {},
  ): SnapshotKey {
    if (origin !== undefined) this.#allowOrigin(origin, reply)
    const key = this.#find(text)
    requireRight(key.role, right)
    if (!mayUse(key, origin)) throw originNotAllowed(origin)
    return key
  }

  /**
   * @throws {ServiceProblem} key_limit_exceeded, with the time until the clicks would be within the key's limit, and the RateLimit
   * headers of draft-ietf-httpapi-ratelimit-headers-10. Its registry has no unit for clicks.
   */
  takeClicks(key: SnapshotKey, clicks: number): void {
    const { clicksPerSecond } = key
    if (clicksPerSecond === undefined) return
    const exceeded = this.#limits.take(key, clicks, performance.now())
    if (exceeded === undefined) return
    const waitSeconds = Math.ceil(exceeded.waitMs / 1_000)
    throw accessProblem(
      'key_limit_exceeded',
      `The key may send ${clicksPerSecond} clicks per second. Retry with the same ids.`,
      waitSeconds,
      {
        'ratelimit-policy': `"clicks-of-key";q=${clicksPerSecond};w=1;qu="clicks"`,
        ratelimit: `"clicks-of-key";r=${exceeded.remaining};t=${waitSeconds}`,
      },
    )
  }

  /** @throws {ServiceProblem} link_unknown, or 503 keys_unavailable before the first snapshot */
  linkNamed(slug: string): SnapshotLink {
    const link = this.#ring.link(slug)
    if (link !== undefined) return link
    if (this.#ring.isEmpty) throw accessProblem('keys_unavailable', 'No links have arrived yet.')
    throw problem('link_unknown', 'There is no such link.')
  }

  /** Answers a preflight: whether any key may be used from the page's origin. A preflight does not say which key. */
  readonly preflight = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const { origin } = request.headers
    reply.header('vary', 'Origin')
    if (origin !== undefined && this.#allowOrigin(origin, reply)) {
      reply
        .header('access-control-allow-methods', 'POST')
        // The last one is what Segment's library for browsers adds when it sends again.
        .header('access-control-allow-headers', 'authorization, content-type, content-encoding, x-retry-count')
        .header('access-control-max-age', '7200')
    }
    return reply.code(204).send()
  }

  #find(text: string | undefined): SnapshotKey {
    if (text === undefined) {
      if (this.#isOpen) return openKey
      throw credentialRequired()
    }
    const key = this.#ring.find(text, Date.now())
    if (key !== undefined) return key
    if (this.#ring.isEmpty)
      throw accessProblem('keys_unavailable', 'No keys have arrived yet. Retry with the same ids.')
    throw invalidKey(text)
  }

  /** @returns whether any key allows the origin */
  #allowOrigin(origin: string, reply: FastifyReply): boolean {
    reply.header('vary', 'Origin')
    if (!this.#isOpen && !this.#ring.knowsOrigin(origin)) return false
    reply
      .header('access-control-allow-origin', origin)
      .header('access-control-expose-headers', 'retry-after, ratelimit, ratelimit-policy, x-request-id')
    return true
  }
}

/** The text of the key in the header Authorization; empty if the header has another form, undefined without it. */
function bearerOf(authorization: string | undefined): string | undefined {
  // Fast path for the usual form, because every click passes here.
  if (authorization === undefined) return undefined
  if (authorization.startsWith(bearer)) return authorization.slice(bearer.length)
  return /^bearer +(\S+) *$/i.exec(authorization)?.[1] ?? ''
}

/** The user name of Basic authentication. */
function userNameOf(authorization: string | undefined): string | undefined {
  const [, encoded] = /^basic +([\w+/=-]+) *$/i.exec(authorization ?? '') ?? []
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('latin1').split(':', 1)[0]
}

/**
 * The text of the key in the query of a URL. It is not decoded, and the last one counts, as in nginx.conf.template: otherwise a key
 * could be written so that nginx does not find it, and does not limit it.
 */
export function keyInQuery(url: string): string | undefined {
  const start = url.indexOf('?')
  return start === -1 ? undefined : /^(?:.*&)?key=([^&]*)/.exec(url.slice(start + 1))?.[1]
}

/** @throws {ServiceProblem} key_in_url: URLs are in histories, logs and Referer headers, so only a public key may be in one. */
export function refuseSecretInUrl({ role }: SnapshotKey): void {
  if (role === 'write') return
  throw accessProblem(
    'key_in_url',
    'Only a write key may be in a URL. Send this key in the header Authorization, and replace it, because logs may have it now.',
  )
}

/** The key of a request in a route that has the hook of requires(). */
export function senderOf({ senderKey }: FastifyRequest): SnapshotKey {
  if (senderKey === undefined) throw new Error('the route does not authorize its requests')
  return senderKey
}

/** Only browsers send Origin. Write keys are for browsers. Other keys are limited to their origins only in browsers. */
function mayUse(key: SnapshotKey, origin: string | undefined): boolean {
  if (origin === undefined) return key.role !== 'write' || key.origins.includes('*')
  return allowsOrigin(key, origin) || (key.role !== 'write' && key.origins.length === 0)
}

function originNotAllowed(origin: string | undefined) {
  return accessProblem(
    'origin_not_allowed',
    origin === undefined
      ? 'A write key is for browsers, which send the header Origin. Use a secret key on a server.'
      : 'The key does not list this origin. Add it with: clicktally keys change <id> --origin …',
  )
}
