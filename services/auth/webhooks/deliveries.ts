import type { Tables } from '@clicktally/database/tables.ts'
import type { Delivery } from '@clicktally/operations/owner/webhook-operations.ts'
import type { TestEvent } from '@clicktally/operations/webhook-events.ts'
import { type Kysely, sql } from 'kysely'
import { type Actor, audit } from '../audit/audit-log.ts'
import { problem } from '../errors.ts'
import { isUuid } from '../uuid.ts'
import { makeDue, webhookById } from './webhooks.ts'

/** Lists deliveries of a webhook, the newest event first. @throws {ServiceProblem} webhook_not_found */
export async function listDeliveries(db: Kysely<Tables>, webhookId: string, limit: number): Promise<Delivery[]> {
  const { id } = await webhookById(db, webhookId)
  return await deliveriesOf(db, id, limit)
}

/** Creates an event that only this webhook gets. @throws {ServiceProblem} webhook_not_found, webhook_disabled */
export async function testWebhook(db: Kysely<Tables>, actor: Actor, webhookId: string): Promise<Delivery> {
  return await db.transaction().execute(async (transaction) => {
    const { id, project, state } = await webhookById(transaction, webhookId)
    if (state === 'disabled') throw disabled()
    const event: TestEvent = { type: 'test', timestamp: new Date().toISOString(), data: { project } }
    const { id: event_id } = await transaction
      .insertInto('webhook_events')
      .columns(['project_id', 'type', 'body'])
      .expression((query) =>
        query
          .selectFrom('webhooks')
          .select(({ val }) => ['project_id', val(event.type).as('type'), val(JSON.stringify(event)).as('body')])
          .where('id', '=', id),
      )
      .returning('id')
      .executeTakeFirstOrThrow()
    await transaction.insertInto('webhook_deliveries').values({ webhook_id: id, event_id }).execute()
    await audit(transaction, actor, 'webhook.test', id, { event: event_id })
    const [delivery] = await deliveriesOf(transaction, id, 1, event_id)
    return delivery as Delivery
  })
}

/**
 * Makes an event due again, or everything undelivered.
 *
 * @returns the number of deliveries
 * @throws {ServiceProblem} webhook_not_found, webhook_disabled, event_not_found
 */
export async function redeliver(
  db: Kysely<Tables>,
  actor: Actor,
  webhookId: string,
  event: string | undefined,
): Promise<number> {
  return await db.transaction().execute(async (transaction) => {
    const { id, state } = await webhookById(transaction, webhookId)
    if (state === 'disabled') throw disabled()
    let deliveries: number
    if (event === undefined) deliveries = await makeDue(transaction, id)
    else {
      const { numUpdatedRows } = isUuid(event)
        ? await transaction
            .updateTable('webhook_deliveries')
            .set({ attempts: 0, delivered_at: null, next_attempt_at: sql<Date>`now()` })
            .where('webhook_id', '=', id)
            .where('event_id', '=', event)
            .executeTakeFirst()
        : { numUpdatedRows: 0n }
      if (numUpdatedRows === 0n) throw problem('event_not_found', `This webhook has no event "${event}".`)
      deliveries = 1
    }
    await audit(transaction, actor, 'webhook.redeliver', id, { ...(event !== undefined && { event }), deliveries })
    return deliveries
  })
}

async function deliveriesOf(db: Kysely<Tables>, webhookId: string, limit: number, event?: string): Promise<Delivery[]> {
  const rows = await db
    .selectFrom('webhook_deliveries as delivery')
    .innerJoin('webhook_events as event', 'event.id', 'delivery.event_id')
    .selectAll('delivery')
    .select(['event.type', 'event.body', 'event.created_at'])
    .where('webhook_id', '=', webhookId)
    .$if(event !== undefined, (query) => query.where('event_id', '=', event as string))
    .orderBy('event_id', 'desc')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    ...{ event: row.event_id, type: row.type, attempts: row.attempts, body: row.body },
    state: row.delivered_at !== null ? 'delivered' : row.next_attempt_at !== null ? 'waiting' : 'given_up',
    ...{ lastStatus: row.last_status, lastError: row.last_error, createdAt: row.created_at.toISOString() },
    lastAttemptAt: row.last_attempt_at?.toISOString() ?? null,
    nextAttemptAt: row.next_attempt_at?.toISOString() ?? null,
  }))
}

function disabled() {
  return problem('webhook_disabled', 'The webhook is disabled. Enable it, which also sends what is undelivered.')
}
