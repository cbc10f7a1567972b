import type { Client } from 'pg'

/** Clicks with all attributes, spread evenly over some whole days before today. */
export interface AttributedClicks {
  readonly clicks: number
  readonly days: number
  readonly fromMs: number
  readonly toMs: number
}

const dayMs = 86_400_000

/**
 * Stores clicks on 1,500 targets and 5,000 paths by 100,000 visitors, most on few of them, and their counters for all targets
 * together. They are inserted directly: what is measured here is what comes after.
 *
 * @param client as the owner of the tables
 */
export async function insertAttributedClicks(client: Client, clicks: number, days: number): Promise<AttributedClicks> {
  const toMs = Math.floor(Date.now() / dayMs) * dayMs
  const fromMs = toMs - days * dayMs
  await client.query(`set timezone = 'UTC'; set synchronous_commit = off; select setseed(0.42)`)
  for (let day = 0; day < days; day += 1) {
    const from = new Date(fromMs + day * dayMs)
    await client.query('select create_click_partition($1::timestamptz::date)', [from])
    await client.query(
      `insert into clicks (id, project_id, occurred_at, received_at, bot, target, visitor_id, url, referrer, country, agent)
       select
         uuidv7(occurred_at - clock_timestamp()), 1, occurred_at, occurred_at, random() < 0.05,
         '/' || floor(exp(random() * ln(1500))), 'visitor-' || floor(random() ^ 2 * 100000),
         'https://www.shop.example/' || floor(exp(random() * ln(5000)))
           || case when random() < 0.1 then '?utm_source=news&utm_medium=email&utm_campaign=c' || floor(random() * 20) else '' end,
         case when random() < 0.6 then 'https://site' || floor(exp(random() * ln(300))) || '.example/' end,
         chr(65 + floor(random() ^ 2 * 5)::int) || chr(65 + floor(random() * 6)::int),
         substr('aaabbbcccddd', 1 + floor(random() * 10)::int, 3)
       from (
         select $1::timestamptz + each * interval '1 day' / $2::int as occurred_at from generate_series(0, $2::int - 1) as each
       ) as moment`,
      [from, Math.floor(clicks / days)],
    )
  }
  // The widths from which a count of all clicks is read.
  for (const width of ['hour', 'day', 'month']) {
    await client.query(
      `insert into ${width}_counters (project_id, ${width}, target, total, bots, visitors)
       select 1, date_trunc('${width}', occurred_at), '', count(*) filter (where not bot), count(*) filter (where bot), '{}'
       from clicks group by 2`,
    )
  }
  await client.query(
    `insert into stale_hours (project_id, hour, stale_since)
     select 1, hour, now() - interval '1 hour' from hour_counters`,
  )
  await client.query('vacuum analyze clicks')
  return { clicks: Math.floor(clicks / days) * days, days, fromMs, toMs }
}
