import { randomBytes } from 'node:crypto'
import { credentialRequired } from '@clicktally/access/credential.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { isPassword, verifyNothing } from '@clicktally/keys/password.ts'
import type { User } from '@clicktally/operations/owner/user-operations.ts'
import type { Kysely } from 'kysely'
import { type Actor, audit } from '../audit/audit-log.ts'
import { type Authenticated, hashToken } from '../authentication.ts'
import { problem } from '../errors.ts'
import { userOf } from '../users/users.ts'

export const sessionLifetimeMs = 14 * 86_400_000

/** Starts a session. Failures are audited too. @throws {ServiceProblem} sign_in_failed */
export async function signIn(
  db: Kysely<Tables>,
  address: string | null,
  email: string,
  password: string,
): Promise<{ readonly user: User; readonly token: string }> {
  const user = await db
    .selectFrom('users')
    .selectAll()
    .where((where) => where(where.fn('lower', ['email']), '=', email.toLowerCase()))
    .executeTakeFirst()
  const { password_hash } = user ?? {}
  const isRight = password_hash ? await isPassword(password_hash, password) : await verifyNothing(password)
  if (user === undefined || isRight !== true || user.disabled_at !== null) {
    if (user !== undefined) {
      const actor: Actor = { actor: `user:${user.id}`, name: user.email, address }
      await db.transaction().execute((transaction) => audit(transaction, actor, 'session.refuse', user.id))
    }
    throw problem('sign_in_failed', 'The email address or the password is wrong, or the account is disabled.')
  }
  const token = randomBytes(32).toString('base64url')
  await db.transaction().execute(async (transaction) => {
    await transaction.deleteFrom('sessions').where('expires_at', '<=', new Date()).execute()
    await transaction
      .insertInto('sessions')
      .values({ hash: hashToken(token), user_id: user.id, expires_at: new Date(Date.now() + sessionLifetimeMs) })
      .execute()
    await audit(transaction, { actor: `user:${user.id}`, name: user.email, address }, 'session.start', user.id)
  })
  return { user: userOf(user), token }
}

/** @throws {ServiceProblem} key_missing if a key was sent instead of a session */
export async function sessionUser(db: Kysely<Tables>, { session }: Authenticated): Promise<User> {
  if (session === undefined) throw credentialRequired()
  return userOf(await db.selectFrom('users').selectAll().where('id', '=', session.userId).executeTakeFirstOrThrow())
}

/** Ends this session, or all of the user's. @throws {ServiceProblem} key_missing */
export async function signOut(db: Kysely<Tables>, sender: Authenticated, everywhere: boolean): Promise<void> {
  const { session } = sender
  if (session === undefined) throw credentialRequired()
  await db.transaction().execute(async (transaction) => {
    const sessions = transaction.deleteFrom('sessions')
    await (everywhere
      ? sessions.where('user_id', '=', session.userId)
      : sessions.where('hash', '=', session.hash)
    ).execute()
    await audit(transaction, sender, 'session.end', session.userId, { everywhere })
  })
}
