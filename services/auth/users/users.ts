import { randomBytes } from 'node:crypto'
import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { hashPassword } from '@clicktally/keys/password.ts'
import type { UserRole } from '@clicktally/keys/roles.ts'
import type { PasswordLink, User } from '@clicktally/operations/owner/user-operations.ts'
import type { Kysely, Selectable, Transaction } from 'kysely'
import { type Actor, audit } from '../audit/audit-log.ts'
import { hashToken } from '../authentication.ts'
import { problem } from '../errors.ts'
import { isUuid } from '../uuid.ts'

type UserRow = Selectable<Tables['users']>
const linkLifetimeMs = 72 * 3_600_000

export async function listUsers(db: Kysely<Tables>): Promise<User[]> {
  return (await db.selectFrom('users').selectAll().orderBy('created_at').orderBy('id').execute()).map(userOf)
}

/** @throws {ServiceProblem} email_exists */
export async function inviteUser(
  db: Kysely<Tables>,
  actor: Actor,
  { email, role }: { readonly email: string; readonly role: UserRole },
): Promise<PasswordLink> {
  return await db.transaction().execute(async (transaction) => {
    const user = await transaction
      .insertInto('users')
      .values({ email, role, password_hash: null, disabled_at: null })
      .returningAll()
      .executeTakeFirstOrThrow()
      .catch((error) => {
        if (sqlStateOf(error) !== '23505') throw error
        throw problem('email_exists', 'There is a user with this email address already.', { field: 'email' })
      })
    await audit(transaction, actor, 'user.invite', user.id, { email, role })
    return await makeLink(transaction, user)
  })
}

/** Ends the user's sessions. @throws {ServiceProblem} user_not_found, last_owner */
export async function changeUser(
  db: Kysely<Tables>,
  actor: Actor,
  id: string,
  changes: { readonly role?: UserRole; readonly disabled?: boolean },
): Promise<User> {
  return await db.transaction().execute(async (transaction) => {
    // Serialize changes, so that two owners cannot disable each other.
    const users = await transaction.selectFrom('users').selectAll().orderBy('id').forUpdate().execute()
    const user = users.find((each) => each.id === id)
    if (user === undefined) throw userNotFound(id)
    const role = changes.role ?? user.role
    const disabled = changes.disabled ?? user.disabled_at !== null
    const others = users.filter((each) => each.id !== id && isActiveOwner(each))
    if (isActiveOwner(user) && others.length === 0 && (role !== 'owner' || disabled)) {
      throw problem('last_owner', 'Make another user an owner first.')
    }
    const changed = await transaction
      .updateTable('users')
      .set({ role, disabled_at: disabled ? (user.disabled_at ?? new Date()) : null })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow()
    await endSessions(transaction, id)
    await audit(transaction, actor, 'user.change', id, { email: user.email, ...changes })
    return userOf(changed)
  })
}

/** @throws {ServiceProblem} user_not_found */
export async function createPasswordLink(db: Kysely<Tables>, actor: Actor, id: string): Promise<PasswordLink> {
  return await db.transaction().execute(async (transaction) => {
    const user = isUuid(id)
      ? await transaction.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst()
      : undefined
    if (user === undefined) throw userNotFound(id)
    await audit(transaction, actor, 'user.password-link', id, { email: user.email })
    return await makeLink(transaction, user)
  })
}

/** Sets the password of the user whom the link is for, and ends the user's sessions. @throws {ServiceProblem} token_invalid */
export async function setPassword(
  db: Kysely<Tables>,
  address: string | null,
  token: string,
  password: string,
): Promise<void> {
  // Outside the transaction, because it takes 30 ms.
  const password_hash = await hashPassword(password)
  await db.transaction().execute(async (transaction) => {
    const link = await transaction
      .deleteFrom('password_links')
      .where('hash', '=', hashToken(token))
      .where('expires_at', '>', new Date())
      .returning('user_id')
      .executeTakeFirst()
    if (link === undefined) {
      throw problem('token_invalid', 'The link was used already or has expired. Ask an owner for a new one.', {
        field: 'token',
      })
    }
    const { user_id } = link
    await transaction.deleteFrom('password_links').where('user_id', '=', user_id).execute()
    const { email } = await transaction
      .updateTable('users')
      .set({ password_hash })
      .where('id', '=', user_id)
      .returning('email')
      .executeTakeFirstOrThrow()
    await endSessions(transaction, user_id)
    await audit(transaction, { actor: `user:${user_id}`, name: email, address }, 'user.password', user_id)
  })
}

export function userOf({ id, email, role, created_at, disabled_at, password_hash }: UserRow): User {
  const status = disabled_at !== null ? 'disabled' : password_hash === null ? 'invited' : 'active'
  return { id, email, role, createdAt: created_at.toISOString(), status }
}

/** Creates a link to set a password. The user's earlier links become invalid. */
async function makeLink(transaction: Transaction<Tables>, user: UserRow): Promise<PasswordLink> {
  const token = randomBytes(32).toString('base64url')
  const expiresAt = new Date(Date.now() + linkLifetimeMs)
  await transaction.deleteFrom('password_links').where('user_id', '=', user.id).execute()
  await transaction
    .insertInto('password_links')
    .values({ hash: hashToken(token), user_id: user.id, expires_at: expiresAt })
    .execute()
  return { user: userOf(user), token, expiresAt: expiresAt.toISOString() }
}

async function endSessions(transaction: Transaction<Tables>, userId: string): Promise<void> {
  await transaction.deleteFrom('sessions').where('user_id', '=', userId).execute()
}

function isActiveOwner({ role, disabled_at, password_hash }: UserRow): boolean {
  return role === 'owner' && disabled_at === null && password_hash !== null
}

function userNotFound(id: string) {
  return problem('user_not_found', `There is no user with the id "${id}".`)
}
