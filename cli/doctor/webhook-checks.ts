import { asOfQuery } from '@clicktally/database/freshness.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import { type Finding, finding } from './finding.ts'

interface Webhooks {
  readonly enabled: number
  /** Whose latest attempt of a delivery failed. */
  readonly failing: number
  /** Because they kept failing, or are gone. */
  readonly disabled: number
  /** Whether thresholds are five minutes behind the counts. */
  readonly isBehind: boolean
}

/** Whether receivers of webhooks accept their events, and thresholds are judged. */
export async function checkWebhooks(db: Kysely<Tables>): Promise<readonly Finding[]> {
  const { rows } = await sql<Webhooks>`
    select
      count(*) filter (where disabled_at is null) as enabled,
      count(*) filter (where disabled_at is null and exists (
        select from webhook_deliveries
        where webhook_id = webhooks.id and next_attempt_at is not null and attempts > 0 and last_error is not null)) as failing,
      count(*) filter (where disabled_because in ('failing', 'gone')) as disabled,
      coalesce(
        (select min(judged_through) from thresholds) < (select as_of from (${sql.raw(asOfQuery)}) as freshness) - interval '5 minutes',
        false) as "isBehind"
    from webhooks`.execute(db)
  const { enabled, failing, disabled, isBehind } = rows[0] as Webhooks
  return [
    finding(
      'webhooks',
      failing + disabled > 0 ? 'notice' : 'ok',
      `${enabled} enabled, of these ${failing} failing; ${disabled} disabled because they kept failing`,
      'Events are repeated for a day, and kept for 30 days. "clicktally webhooks list" has the errors, "webhooks enable" sends what is undelivered.',
    ),
    finding(
      'thresholds',
      isBehind ? 'notice' : 'ok',
      isBehind ? 'not judged for more than five minutes of counts' : 'judged as far as clicks are counted',
      'Nothing is lost, but it is told late. Is the notifier running? Its log has the reason.',
    ),
  ]
}
