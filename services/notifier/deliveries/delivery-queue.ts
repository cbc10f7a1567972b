import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import { pauseAfter } from './retry-schedule.ts'
import type { Outcome } from './send.ts'

/** An attempt that this process has to make now. */
export interface Delivery {
  readonly webhookId: string
  readonly eventId: string
  readonly url: string
  /** With each of which the request is signed: one, or two while an old one is replaced. */
  readonly secrets: readonly Buffer[]
  readonly body: string
  /** This attempt included. */
  readonly attempts: number
}

/** An attempt is made by one instance until this time; longer than a request may take. In seconds. */
const leaseSeconds = 20

/**
 * Takes the next due delivery of each of at most `limit` webhooks that nobody is busy with. It counts as an attempt from now on: if
 * this process ends without a word, the next attempt is due when the lease has ended, by any instance.
 */
export async function takeDeliveries(db: Kysely<Tables>, limit: number): Promise<Delivery[]> {
  const { rows } = await sql<Delivery>`
    with free as materialized (
      select id from webhooks
      where disabled_at is null and busy_until <= now() and exists (
        select from webhook_deliveries where webhook_id = webhooks.id and next_attempt_at <= now()
      )
      order by busy_until
      limit ${limit}
      for update skip locked
    ), taken as (
      update webhooks set busy_until = now() + make_interval(secs => ${leaseSeconds}) from free where webhooks.id = free.id
      returning webhooks.id, url, secret || array(
        select secret from replaced_webhook_secrets where webhook_id = webhooks.id and used_until > now() order by used_until desc
      ) as secrets
    ), due as (
      select distinct on (webhook_id) webhook_id, event_id, url, secrets
      from webhook_deliveries join taken on taken.id = webhook_id
      where next_attempt_at <= now()
      order by webhook_id, next_attempt_at, event_id
    )
    update webhook_deliveries as delivery
    set
      attempts = attempts + 1, last_attempt_at = now(), last_status = null, last_error = 'the attempt did not end',
      next_attempt_at = now() + make_interval(secs => ${leaseSeconds})
    from due join webhook_events on webhook_events.id = due.event_id
    where (delivery.webhook_id, delivery.event_id) = (due.webhook_id, due.event_id)
    returning delivery.webhook_id as "webhookId", delivery.event_id as "eventId", url, secrets, body, attempts`.execute(
    db,
  )
  return rows
}

/**
 * Records what became of an attempt. A failed one is repeated after a pause. When a delivery is given up and nothing was delivered
 * since its event, or the receiver says that it is gone (410), the webhook is disabled; what is undelivered is kept.
 *
 * @returns whether the webhook was disabled
 */
export async function recordOutcome(
  db: Kysely<Tables>,
  { webhookId, eventId, attempts }: Delivery,
  { status, error, retryAfterMs }: Outcome,
): Promise<boolean> {
  return await db.transaction().execute(async (transaction) => {
    const pauseMs = error === undefined ? undefined : pauseAfter(attempts, retryAfterMs)
    // If another instance has begun a later attempt, only a success still counts.
    const { rows } = await sql<{ createdAt: Date }>`
      update webhook_deliveries as delivery
      set
        last_status = ${status ?? null}, last_error = ${error ?? null},
        delivered_at = case when ${error === undefined} then now() end,
        next_attempt_at = now() + make_interval(secs => ${pauseMs === undefined ? null : pauseMs / 1_000})
      from webhook_events as event
      where event.id = event_id and (webhook_id, event_id) = (${webhookId}, ${eventId})
        and delivered_at is null and (attempts = ${attempts} or ${error === undefined})
      returning event.created_at as "createdAt"`.execute(transaction)
    const [recorded] = rows
    if (recorded === undefined) return false
    await sql`
      update webhooks set busy_until = '-infinity' where id = ${webhookId}`.execute(transaction)
    if (error === undefined || (status !== 410 && pauseMs !== undefined)) return false
    return await disable(transaction, webhookId, status === 410 ? 'gone' : 'failing', recorded.createdAt, error)
  })
}

async function disable(
  transaction: Kysely<Tables>,
  webhookId: string,
  because: 'failing' | 'gone',
  eventAt: Date,
  error: string,
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable('webhooks')
    .set({ disabled_at: new Date(), disabled_because: because })
    .where('id', '=', webhookId)
    .where('disabled_at', 'is', null)
    .$if(because === 'failing', (query) =>
      query.where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('webhook_deliveries')
              .select('event_id')
              .where('webhook_id', '=', webhookId)
              .where('delivered_at', '>', eventAt),
          ),
        ),
      ),
    )
    .executeTakeFirst()
  if (numUpdatedRows === 0n) return false
  await transaction
    .insertInto('audit_log')
    .values({
      ...{ actor: 'system', actor_name: 'system', address: null, action: 'webhook.disable', subject: webhookId },
      detail: JSON.stringify({ because, error }),
    })
    .execute()
  return true
}

/** Deletes events of which every trace is older than 30 days, with their deliveries. */
export async function deleteOldEvents(db: Kysely<Tables>): Promise<void> {
  await sql`delete from webhook_events where created_at < now() - interval '30 days'`.execute(db)
}

/** Removes secrets that were replaced and are no longer used. */
export async function deleteOldSecrets(db: Kysely<Tables>): Promise<void> {
  await sql`
    update webhooks set previous_secret = null, previous_secret_until = null
    where previous_secret_until <= now()`.execute(db)
  await sql`delete from replaced_webhook_secrets where used_until <= now()`.execute(db)
}
