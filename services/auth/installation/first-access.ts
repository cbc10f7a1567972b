import type { Tables } from '@clicktally/database/tables.ts'
import type { FirstAccess } from '@clicktally/keys/first-access.ts'
import type { Kysely } from 'kysely'
import { audit, system } from '../audit/audit-log.ts'

/**
 * Creates the keys and the owner from the installation's secrets. The operator's key always replaces the previous one. The other
 * keys and the owner are created only if there have never been any. Safe to call at each start, by several instances at once.
 */
export async function installFirstAccess(db: Kysely<Tables>, first: FirstAccess): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    // Instances that start together wait for each other here.
    await transaction.selectFrom('projects').select('id').where('id', '=', 1).forUpdate().execute()
    const existing = await transaction.selectFrom('keys').select(['id', 'hash', 'is_operator', 'revoked_at']).execute()

    const operatorHash = Buffer.from(first.operator.hash, 'base64url')
    if (!existing.some(({ hash, revoked_at }) => hash.equals(operatorHash) && revoked_at === null)) {
      await transaction
        .updateTable('keys')
        .set({ revoked_at: new Date() })
        .where('is_operator', '=', true)
        .where('revoked_at', 'is', null)
        .execute()
      await transaction
        .insertInto('keys')
        .values({
          ...{ id: first.operator.id, hash: operatorHash, project_id: 1, role: 'owner', label: 'operator' },
          ...{ is_operator: true, clicks_per_second: null, expires_at: null, revoked_at: null },
        })
        // The operator has restored an earlier secret file.
        .onConflict((conflict) => conflict.column('id').doUpdateSet({ revoked_at: null }))
        .execute()
      await audit(transaction, system, 'key.create', first.operator.id, { role: 'owner', label: 'operator' })
    }

    if (existing.every(({ is_operator }) => is_operator)) {
      for (const { id, hash, role, origins } of first.keys) {
        const label = `first ${role} key`
        await transaction
          .insertInto('keys')
          .values({
            ...{ id, hash: Buffer.from(hash, 'base64url'), project_id: 1, role, label, origins: [...origins] },
            ...{ clicks_per_second: null, expires_at: null, revoked_at: null },
          })
          .execute()
        await audit(transaction, system, 'key.create', id, { role, label, origins })
      }
    }

    const { email, passwordHash } = first.owner
    const anyUser = await transaction.selectFrom('users').select('id').limit(1).executeTakeFirst()
    if (anyUser === undefined) {
      const { id } = await transaction
        .insertInto('users')
        .values({ email, role: 'owner', password_hash: passwordHash, disabled_at: null })
        .returning('id')
        .executeTakeFirstOrThrow()
      await audit(transaction, system, 'user.invite', id, { email, role: 'owner' })
    }
  })
}
