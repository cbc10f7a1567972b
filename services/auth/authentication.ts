import { createHash } from 'node:crypto'
import { accessProblem } from '@clicktally/access/access-problems.ts'
import {
  credentialOf,
  credentialRequired,
  invalidKey,
  requireRight,
  requireSameOrigin,
} from '@clicktally/access/credential.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { hashKey } from '@clicktally/keys/key-text.ts'
import type { KeyRole, Right } from '@clicktally/keys/roles.ts'
import type { FastifyRequest } from 'fastify'
import type { Kysely } from 'kysely'
import type { Actor } from './audit/audit-log.ts'

/** The sender of a request, read from the database, so that a revoked key or an ended session is refused immediately. */
export interface Authenticated extends Actor {
  readonly role: KeyRole
  /** The user and the hash of the session's token, if the request has a session. */
  readonly session?: { readonly userId: string; readonly hash: Buffer }
}

/**
 * Authenticates the sender of a request, who must have this right. `undefined` requires no right.
 *
 * @throws {ServiceProblem} 401 or 403
 */
export async function authenticate(
  db: Kysely<Tables>,
  request: FastifyRequest,
  right: Right | undefined,
): Promise<Authenticated> {
  const credential = credentialOf(request.headers)
  if (credential === undefined) throw credentialRequired()
  const sender =
    credential.kind === 'key'
      ? await byKey(db, credential.text, clientAddress(request))
      : await bySession(db, credential.token, clientAddress(request))
  if (sender.session !== undefined && request.method !== 'GET') requireSameOrigin(request.headers)
  if (right !== undefined) requireRight(sender.role, right)
  return sender
}

/** The client's address, set by nginx; null if the request did not come through nginx. */
export function clientAddress({ headers }: FastifyRequest): string | null {
  const address = headers['x-forwarded-for']
  return typeof address === 'string' && /^[0-9a-f.:]{2,45}$/i.test(address) ? address : null
}

/** SHA-256. A token has 256 random bits, so it needs no slow hash. */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

async function byKey(db: Kysely<Tables>, text: string, address: string | null): Promise<Authenticated> {
  const key = await db
    .selectFrom('keys')
    .select(['id', 'role', 'label'])
    .where('hash', '=', Buffer.from(hashKey(text), 'base64url'))
    .where('revoked_at', 'is', null)
    .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', new Date())]))
    .executeTakeFirst()
  if (key === undefined) throw invalidKey(text)
  return { actor: `key:${key.id}`, name: key.label, address, role: key.role }
}

async function bySession(db: Kysely<Tables>, token: string, address: string | null): Promise<Authenticated> {
  const hash = hashToken(token)
  const user = await db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .select(['users.id', 'users.email', 'users.role'])
    .where('sessions.hash', '=', hash)
    .where('sessions.expires_at', '>', new Date())
    .where('users.disabled_at', 'is', null)
    .executeTakeFirst()
  if (user === undefined) throw accessProblem('session_expired', 'Sign in again.')
  return { actor: `user:${user.id}`, name: user.email, address, role: user.role, session: { userId: user.id, hash } }
}
