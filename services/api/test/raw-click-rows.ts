import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import type { Pool } from 'pg'

export interface StoredClick {
  readonly id?: string
  readonly projectId?: number
  readonly target?: string
  readonly occurredAt: string
  readonly visitorId?: string | null
  readonly url?: string | null
  readonly referrer?: string | null
  readonly country?: string | null
  readonly agent?: string | null
  readonly props?: object | null
  readonly bot?: boolean
}

/** Stores raw clicks, without counting them. @returns their ids, which have the time of the click if they are not given */
export async function storeClicks(owner: Pool, clicks: readonly StoredClick[]): Promise<string[]> {
  const rows = clicks.map((click) => ({
    ...{ projectId: 1, target: 'button', visitorId: null, bot: false },
    ...{ url: null, referrer: null, country: null, agent: null, props: null },
    ...{ ...click, id: click.id ?? randomUuidV7(Date.parse(click.occurredAt)) },
  }))
  const days = new Set(
    rows.map(({ id }) => Math.floor(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) / 86_400_000)),
  )
  for (const day of days) await owner.query(`select create_click_partition(to_timestamp($1 * 86400)::date)`, [day])
  await owner.query(
    `insert into clicks (id, project_id, target, occurred_at, received_at, visitor_id, url, referrer, country, agent, props, bot)
     select id, "projectId", target, "occurredAt", "occurredAt", "visitorId", url, referrer, country, agent, props, bot
     from jsonb_to_recordset($1) as click (id uuid, "projectId" int, target text, "occurredAt" timestamptz, "visitorId" text,
       url text, referrer text, country text, agent text, props jsonb, bot boolean)`,
    [JSON.stringify(rows)],
  )
  return rows.map(({ id }) => id)
}

/** Stores clicks of 1 March 2026, 10 ms apart, each with a URL of so many characters. */
export async function storeMany(owner: Pool, clicks: number, urlChars: number): Promise<void> {
  await owner.query(`select create_click_partition('2026-03-01')`)
  await owner.query(
    `insert into clicks (id, project_id, target, occurred_at, received_at, bot, url)
     select (substr(hex, 1, 8) || '-' || substr(hex, 9) || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 1, 'button', at, at, false,
       rpad('https://a.example/' || n, $2, 'x')
     from (
       select n, '2026-03-01'::timestamptz + n * interval '10 ms' as at,
         lpad(to_hex((extract(epoch from '2026-03-01'::timestamptz) * 1000)::bigint + 10 * n), 12, '0') as hex
       from generate_series(0, $1::int - 1) as n
     ) as each`,
    [clicks, urlChars],
  )
}
