import { randomBytes } from 'node:crypto'
import type { Tables } from '@clicktally/database/tables.ts'
import type { NewWebhook, Webhook } from '@clicktally/operations/owner/webhook-operations.ts'
import { type Kysely, sql, type Transaction } from 'kysely'
import { type Actor, audit } from '../audit/audit-log.ts'
import { problem } from '../errors.ts'
import { projectNamed } from '../projects/projects.ts'
import { isUuid } from '../uuid.ts'

/** Webhooks of one project. Each event of the project is sent to all of them. */
const maxWebhooks = 20

export type WebhookAddresses = 'public' | 'any'

type Row = Omit<Webhook, 'createdAt' | 'nextAttemptAt'> & {
  readonly createdAt: Date
  readonly nextAttemptAt: Date | null
}

/** Lists the webhooks of a project or of all, the oldest first. */
export async function listWebhooks(
  db: Kysely<Tables>,
  { project, id }: { readonly project?: string; readonly id?: string },
): Promise<Webhook[]> {
  const { rows } = await sql<Row>`
    select
      webhook.id, project.name as project, url, disabled_because as "disabledBecause",
      case
        when disabled_at is not null then 'disabled'
        when "lastError" is not null then 'failing'
        else 'enabled'
      end as state,
      coalesce(undelivered, 0) as undelivered, "lastError",
      case when disabled_at is null then "nextAttemptAt" end as "nextAttemptAt", webhook.created_at as "createdAt"
    from webhooks as webhook
    join projects as project on project.id = webhook.project_id
    left join lateral (
      select
        count(*) as undelivered, min(next_attempt_at) as "nextAttemptAt",
        (array_agg(last_error order by last_attempt_at desc) filter (where last_error is not null))[1] as "lastError"
      from webhook_deliveries
      where webhook_id = webhook.id and delivered_at is null
    ) as delivery on true
    where ${project ?? null}::text is null or project.name = ${project ?? null}::text
    order by webhook.id`.execute(db)
  return rows.filter((row) => id === undefined || row.id === id).map(webhookOf)
}

/** @throws {ServiceProblem} project_unknown, url_invalid, too_many_webhooks */
export async function createWebhook(
  db: Kysely<Tables>,
  actor: Actor,
  { url, project = 'default' }: { readonly url: string; readonly project?: string },
  addresses: WebhookAddresses,
): Promise<NewWebhook> {
  const secret = randomBytes(32)
  const allowed = readUrl(url, addresses)
  return await db.transaction().execute(async (transaction) => {
    const { id: project_id } = await projectNamed(transaction, project)
    const { count } = await transaction
      .selectFrom('webhooks')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('project_id', '=', project_id)
      .executeTakeFirstOrThrow()
    if (count >= maxWebhooks) throw problem('too_many_webhooks', `A project can have ${maxWebhooks} webhooks.`)
    const { id } = await transaction
      .insertInto('webhooks')
      .values({ project_id, url: allowed, secret })
      .returning('id')
      .executeTakeFirstOrThrow()
    await audit(transaction, actor, 'webhook.create', id, { project, url: withoutSecrets(allowed) })
    return { webhook: await webhookById(transaction, id), secret: secretText(secret) }
  })
}

/**
 * Replaces the secret of a webhook. The database keeps the old one, which this service cannot read.
 *
 * @param overlapSeconds how long requests are signed with the old one too; 0: not at all
 * @throws {ServiceProblem} webhook_not_found
 */
export async function rotateSecret(
  db: Kysely<Tables>,
  actor: Actor,
  id: string,
  overlapSeconds: number,
): Promise<NewWebhook> {
  const secret = randomBytes(32)
  return await db.transaction().execute(async (transaction) => {
    const webhook = await webhookById(transaction, id)
    await transaction
      .updateTable('webhooks')
      .set({ secret, previous_secret_until: sql<Date>`now() + make_interval(secs => ${overlapSeconds})` })
      .where('id', '=', webhook.id)
      .execute()
    await audit(transaction, actor, 'webhook.rotate', webhook.id, { overlapSeconds })
    return { webhook, secret: secretText(secret) }
  })
}

/**
 * Disables a webhook, or enables it: then everything undelivered is due.
 *
 * @throws {ServiceProblem} webhook_not_found
 */
export async function changeWebhook(db: Kysely<Tables>, actor: Actor, id: string, enabled: boolean): Promise<Webhook> {
  return await db.transaction().execute(async (transaction) => {
    await webhookById(transaction, id)
    const { numUpdatedRows } = await transaction
      .updateTable('webhooks')
      .set(
        enabled
          ? { disabled_at: null, disabled_because: null }
          : { disabled_at: new Date(), disabled_because: 'owner' },
      )
      .where('id', '=', id)
      .where('disabled_at', enabled ? 'is not' : 'is', null)
      .executeTakeFirst()
    if (numUpdatedRows > 0n) {
      if (enabled) await makeDue(transaction, id)
      await audit(transaction, actor, enabled ? 'webhook.enable' : 'webhook.disable', id)
    }
    return await webhookById(transaction, id)
  })
}

/** @throws {ServiceProblem} webhook_not_found */
export async function deleteWebhook(db: Kysely<Tables>, actor: Actor, id: string): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const { project, url } = await webhookById(transaction, id)
    await transaction.deleteFrom('webhooks').where('id', '=', id).execute()
    await audit(transaction, actor, 'webhook.delete', id, { project, url: withoutSecrets(url) })
  })
}

/** @throws {ServiceProblem} webhook_not_found */
export async function webhookById(db: Kysely<Tables>, id: string): Promise<Webhook> {
  const [webhook] = isUuid(id) ? await listWebhooks(db, { id: id.toLowerCase() }) : []
  if (webhook === undefined) throw problem('webhook_not_found', `There is no webhook with the id "${id}".`)
  return webhook
}

/** Makes everything undelivered due, with all attempts before it. @returns the number of deliveries */
export async function makeDue(transaction: Transaction<Tables>, webhookId: string): Promise<number> {
  const { numUpdatedRows } = await transaction
    .updateTable('webhook_deliveries')
    .set({ attempts: 0, next_attempt_at: sql<Date>`now()` })
    .where('webhook_id', '=', webhookId)
    .where('delivered_at', 'is', null)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

/** @throws {ServiceProblem} url_invalid */
function readUrl(text: string, addresses: WebhookAddresses): string {
  const url = URL.parse(text)
  const protocols = addresses === 'any' ? ['https:', 'http:'] : ['https:']
  const refuse = (detail: string) => problem('url_invalid', detail, { field: 'url' })
  if (url === null || !protocols.includes(url.protocol)) {
    throw refuse(`"${text.slice(0, 64)}" is not a URL of a webhook. Give one as in https://hooks.example/clicktally.`)
  }
  if (url.username !== '' || url.password !== '') {
    throw refuse('The URL must not contain a user or a password. The signature of each request shows who sends it.')
  }
  url.hash = ''
  return url.href
}

/** As Standard Webhooks writes it. */
function secretText(secret: Buffer): string {
  return `whsec_${secret.toString('base64')}`
}

/** Paths and queries of webhooks often are secrets: who knows them may send. The audit log has the host only. */
function withoutSecrets(url: string): string {
  return new URL(url).origin
}

function webhookOf({ createdAt, nextAttemptAt, ...rest }: Row): Webhook {
  return { ...rest, createdAt: createdAt.toISOString(), nextAttemptAt: nextAttemptAt?.toISOString() ?? null }
}
