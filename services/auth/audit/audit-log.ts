import type { Tables } from '@clicktally/database/tables.ts'
import type { AuditEntry } from '@clicktally/operations/owner/audit-operations.ts'
import type { Kysely, Transaction } from 'kysely'

/** The author of a change, and the client's address. */
export interface Actor {
  /** `key:<id>`, `user:<id>` or `system`. */
  readonly actor: string
  /** The key's label or the user's email address. */
  readonly name: string
  /** The client's address; null for the system and for requests that did not come through nginx. */
  readonly address: string | null
}

export const system: Actor = { actor: 'system', name: 'system', address: null }

export type AuditAction =
  | 'project.create'
  | 'project.change'
  | 'project.move'
  | 'key.create'
  | 'key.change'
  | 'key.rotate'
  | 'key.revoke'
  | 'public-counter.create'
  | 'public-counter.delete'
  | 'link.create'
  | 'link.delete'
  | 'webhook.create'
  | 'webhook.enable'
  | 'webhook.disable'
  | 'webhook.rotate'
  | 'webhook.test'
  | 'webhook.redeliver'
  | 'webhook.delete'
  | 'threshold.create'
  | 'threshold.delete'
  | 'user.invite'
  | 'user.change'
  | 'user.password-link'
  | 'user.password'
  | 'session.start'
  | 'session.refuse'
  | 'session.end'

/**
 * Adds an entry to the audit log, in the transaction of the change, so that neither is committed without the other.
 *
 * @param detail what was changed; never a key, a password or a token
 */
export async function audit(
  transaction: Transaction<Tables>,
  { actor, name, address }: Actor,
  action: AuditAction,
  subject: string,
  detail: object = {},
): Promise<void> {
  await transaction
    .insertInto('audit_log')
    .values({ actor, actor_name: name, address, action, subject, detail: JSON.stringify(detail) })
    .execute()
}

/** Lists the entries of the audit log, newest first. */
export async function listAudit(db: Kysely<Tables>, limit: number, before: number | undefined): Promise<AuditEntry[]> {
  const rows = await db
    .selectFrom('audit_log')
    .selectAll()
    .$if(before !== undefined, (query) => query.where('id', '<', before as number))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(({ id, at, actor, actor_name, address, action, subject, detail }) => ({
    ...{ id, at: at.toISOString(), actor, actorName: actor_name, address, action, subject },
    detail: detail as object,
  }))
}
