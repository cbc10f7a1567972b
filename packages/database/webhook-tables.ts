import type { Generated } from 'kysely'

/** The tables of webhooks, as Kysely sees them. services/auth writes what owners want, services/notifier what became of it. */
export interface WebhookTables {
  webhooks: WebhooksTable
  thresholds: ThresholdsTable
  webhook_events: WebhookEventsTable
  webhook_deliveries: WebhookDeliveriesTable
}

export interface WebhooksTable {
  id: Generated<string>
  project_id: number
  url: string
  /** The key of the signatures, 32 bytes. Only the notifier can read it. */
  secret: Buffer
  /** For notifiers of earlier versions. */
  previous_secret: Generated<Buffer | null>
  /** Set together with `secret`: until when the one before is used too. The database then keeps that in `replaced_webhook_secrets`. */
  previous_secret_until: Generated<Date | null>
  created_at: Generated<Date>
  disabled_at: Date | null
  /** `failing`: a delivery was given up. `gone`: the receiver answered 410. Null while the webhook is enabled. */
  disabled_because: 'owner' | 'failing' | 'gone' | null
  /** No instance of the notifier may begin a delivery before. */
  busy_until: Generated<Date | number>
}

export interface ThresholdsTable {
  id: Generated<string>
  project_id: number
  /** Null: all targets together. */
  target: string | null
  type: 'reached' | 'silent'
  /** Null for `silent`. */
  clicks: number | null
  window_minutes: number
  created_at: Generated<Date>
  /** Minutes from this time on count. */
  starts_at: Generated<Date>
  /** Minutes that ended by this time have been judged. */
  judged_through: Generated<Date>
  /** The end of the window that was told. Null: the next one that meets the condition is told. */
  met_at: Date | null
}

/** What happened, in the bytes that are sent. */
export interface WebhookEventsTable {
  id: Generated<string>
  project_id: number
  type: string
  body: string
  created_at: Generated<Date>
}

/** One row for each event and webhook. */
export interface WebhookDeliveriesTable {
  webhook_id: string
  event_id: string
  /** Started attempts. */
  attempts: Generated<number>
  last_attempt_at: Date | null
  /** Null if the receiver did not answer. */
  last_status: number | null
  last_error: string | null
  /** Null: delivered, or given up. */
  next_attempt_at: Generated<Date | null>
  delivered_at: Date | null
}
