import type { Tables } from '@clicktally/database/tables.ts'
import { parseRfc3339 } from '@clicktally/event/rfc3339.ts'
import { makeKey } from '@clicktally/keys/key-text.ts'
import type { KeyRole } from '@clicktally/keys/roles.ts'
import type { Key, NewKey } from '@clicktally/operations/owner/key-operations.ts'
import type { Kysely, Selectable, Transaction } from 'kysely'
import { type Actor, audit } from '../audit/audit-log.ts'
import { problem } from '../errors.ts'
import { projectNamed } from '../projects/projects.ts'
import { readOrigins } from './origins.ts'

export interface KeyRequest {
  readonly role: KeyRole
  readonly project?: string
  readonly label?: string
  readonly origins?: readonly string[]
  readonly clicksPerSecond?: number
  readonly expiresAt?: string
}

export interface KeyChanges {
  readonly label?: string
  readonly origins?: readonly string[]
  /** Null removes the limit. */
  readonly clicksPerSecond?: number | null
  /** Null removes the expiry. */
  readonly expiresAt?: string | null
}

type KeyRow = Selectable<Tables['keys']> & { readonly project: string }

export async function listKeys(db: Kysely<Tables>, project: string | undefined): Promise<Key[]> {
  const rows = await keysWithProject(db)
    .$if(project !== undefined, (query) => query.where('projects.name', '=', project as string))
    .orderBy('keys.created_at')
    .orderBy('keys.id')
    .execute()
  return rows.map(keyOf)
}

/** @throws {ServiceProblem} project_unknown, origins_required, origin_invalid, expiry_invalid */
export async function createKey(
  db: Kysely<Tables>,
  actor: Actor,
  { role, project = 'default', label = '', origins = [], clicksPerSecond, expiresAt }: KeyRequest,
): Promise<NewKey> {
  const made = makeKey(role)
  return await db.transaction().execute(async (transaction) => {
    const { id: project_id } = await projectNamed(transaction, project)
    const allowed = readOrigins(role, origins)
    await transaction
      .insertInto('keys')
      .values({
        ...{ id: made.id, project_id, role, label, origins: allowed, hash: Buffer.from(made.hash, 'base64url') },
        clicks_per_second: clicksPerSecond ?? null,
        expires_at: readExpiry(expiresAt ?? null),
      })
      .execute()
    await audit(transaction, actor, 'key.create', made.id, {
      role,
      project,
      label,
      origins: allowed,
      clicksPerSecond,
      expiresAt,
    })
    return { key: keyOf(await keyById(transaction, made.id)), text: made.text }
  })
}

/** @throws {ServiceProblem} key_not_found, key_is_operators, key_revoked, origins_required, origin_invalid, expiry_invalid */
export async function changeKey(db: Kysely<Tables>, actor: Actor, id: string, changes: KeyChanges): Promise<Key> {
  return await db.transaction().execute(async (transaction) => {
    const { role } = await changeableKey(transaction, id)
    const { label, origins, clicksPerSecond, expiresAt } = changes
    await transaction
      .updateTable('keys')
      .set({
        ...(label !== undefined && { label }),
        ...(origins !== undefined && { origins: readOrigins(role, origins) }),
        ...(clicksPerSecond !== undefined && { clicks_per_second: clicksPerSecond }),
        ...(expiresAt !== undefined && { expires_at: readExpiry(expiresAt), replacement_expires_at: null }),
        // SQL requires at least one column to update; this one changes nothing.
        ...(Object.keys(changes).length === 0 && { revoked_at: null }),
      })
      .where('id', '=', id)
      .execute()
    await audit(transaction, actor, 'key.change', id, changes)
    return keyOf(await keyById(transaction, id))
  })
}

/**
 * Creates a key with the same project, role, origins, limit and expiry. The old key expires after the overlap, unless it expires earlier.
 * It may be rotated again, for example because the answer was lost.
 *
 * @throws {ServiceProblem} key_not_found, key_is_operators, key_revoked
 */
export async function rotateKey(db: Kysely<Tables>, actor: Actor, id: string, overlapSeconds: number): Promise<NewKey> {
  return await db.transaction().execute(async (transaction) => {
    const old = await changeableKey(transaction, id)
    const made = makeKey(old.role)
    const { project_id, role, label, origins, clicks_per_second } = old
    const expires_at = replacementExpiry(old)
    await transaction
      .insertInto('keys')
      .values({
        ...{ id: made.id, project_id, role, label, origins, clicks_per_second, expires_at },
        hash: Buffer.from(made.hash, 'base64url'),
      })
      .execute()
    await transaction
      .updateTable('keys')
      .set({
        expires_at: overlapEnd(old, expires_at, overlapSeconds),
        replacement_expires_at: expires_at ?? Number.POSITIVE_INFINITY,
      })
      .where('id', '=', id)
      .execute()
    await audit(transaction, actor, 'key.rotate', id, { newKey: made.id, overlapSeconds })
    return { key: keyOf(await keyById(transaction, made.id)), text: made.text }
  })
}

/** The expiry that an owner chose for this key. Once it was rotated, `expires_at` is the end of the overlap. */
function replacementExpiry({ expires_at, replacement_expires_at }: KeyRow): Date | null {
  if (replacement_expires_at === null) return expires_at
  return replacement_expires_at instanceof Date ? replacement_expires_at : null
}

/** When a key ends that is rotated now. One that has ended does not become valid again. */
function overlapEnd({ expires_at: old }: KeyRow, expiry: Date | null, overlapSeconds: number): Date {
  const now = Date.now()
  if (old !== null && old.getTime() <= now) return old
  return new Date(Math.min(now + overlapSeconds * 1_000, expiry?.getTime() ?? Number.POSITIVE_INFINITY))
}

/** Does nothing if the key is revoked already. @throws {ServiceProblem} key_not_found, key_is_operators */
export async function revokeKey(db: Kysely<Tables>, actor: Actor, id: string): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const key = await keyForUpdate(transaction, id)
    if (key.revoked_at !== null) return
    await transaction.updateTable('keys').set({ revoked_at: new Date() }).where('id', '=', id).execute()
    await audit(transaction, actor, 'key.revoke', id, { role: key.role, label: key.label })
  })
}

function keysWithProject(db: Kysely<Tables>) {
  return db
    .selectFrom('keys')
    .innerJoin('projects', 'projects.id', 'keys.project_id')
    .selectAll('keys')
    .select('projects.name as project')
}

async function keyById(db: Kysely<Tables>, id: string): Promise<KeyRow> {
  return await keysWithProject(db).where('keys.id', '=', id).executeTakeFirstOrThrow()
}

async function changeableKey(transaction: Transaction<Tables>, id: string): Promise<KeyRow> {
  const key = await keyForUpdate(transaction, id)
  if (key.revoked_at !== null) throw problem('key_revoked', 'A revoked key cannot be changed. Create a new one.')
  return key
}

async function keyForUpdate(transaction: Transaction<Tables>, id: string): Promise<KeyRow> {
  const key = await keysWithProject(transaction).where('keys.id', '=', id).forUpdate('keys').executeTakeFirst()
  if (key === undefined) throw problem('key_not_found', `There is no key with the id "${id}".`)
  if (key.is_operator) {
    throw problem(
      'key_is_operators',
      'This key is kept in a secret file of the installation. To replace it, remove that file and restart the system.',
    )
  }
  return key
}

function readExpiry(text: string | null): Date | null {
  if (text === null) return null
  const time = parseRfc3339(text)
  if (time === undefined || time <= Date.now()) {
    throw problem(
      'expiry_invalid',
      '"expiresAt" must be an RFC 3339 time in the future, such as 2030-01-01T00:00:00Z.',
      {
        field: 'expiresAt',
      },
    )
  }
  return new Date(time)
}

function keyOf(row: KeyRow): Key {
  return {
    ...{ id: row.id, project: row.project, role: row.role, label: row.label, origins: row.origins },
    clicksPerSecond: row.clicks_per_second,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    revokedAt: row.revoked_at?.toISOString() ?? null,
    isOperator: row.is_operator,
  }
}
