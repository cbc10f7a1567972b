import type { Client } from 'pg'

/** Clicks with all attributes, over the whole days of a year before today. */
export interface AttributedClicks {
  readonly clicks: number
  readonly fromMs: number
  readonly toMs: number
}

/** A tenth of the clicks is spread evenly over these days, the rest over the last ones. */
export const attributedDays = { all: 365, dense: 30 }
const evenShare = 0.1
const dayMs = 86_400_000

/**
 * Stores clicks on 1,500 targets and 5,000 paths by 100,000 visitors, most on few of them, and their counters for all targets
 * together. PostgreSQL makes them itself, because what is measured here comes after storing.
 *
 * @param client as the owner of the tables
 * @param onShare told the completed share, 0 to 1
 */
export async function insertAttributedClicks(
  client: Client,
  clicks: number,
  onShare: (share: number) => void,
): Promise<AttributedClicks> {
  const { all, dense } = attributedDays
  const toMs = Math.floor(Date.now() / dayMs) * dayMs
  const fromMs = toMs - all * dayMs
  const evenly = Math.floor((clicks * evenShare) / all)
  const densely = evenly + Math.floor((clicks * (1 - evenShare)) / dense)
  await client.query(`set timezone = 'UTC'; set synchronous_commit = off; select setseed(0.42)`)
  let stored = 0
  for (let day = 0; day < all; day += 1) {
    const from = new Date(fromMs + day * dayMs)
    const ofDay = day < all - dense ? evenly : densely
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
      [from, ofDay],
    )
    stored += ofDay
    onShare(stored / clicks)
  }
  // The widths from which a count of all clicks is read.
  await client.query(
    `insert into hour_counters (project_id, hour, target, total, bots, visitors)
     select 1, date_trunc('hour', occurred_at), '', count(*) filter (where not bot), count(*) filter (where bot), '{}'
     from clicks group by 2`,
  )
  for (const width of ['day', 'month']) {
    await client.query(
      `insert into ${width}_counters (project_id, ${width}, target, total, bots, visitors)
       select 1, date_trunc('${width}', hour), '', sum(total), sum(bots), '{}' from hour_counters group by 2`,
    )
  }
  await client.query(
    `insert into stale_hours (project_id, hour, stale_since)
     select 1, hour, now() - interval '1 hour' from hour_counters order by hour`,
  )
  await client.query('vacuum analyze clicks')
  await client.query('vacuum analyze stale_hours')
  return { clicks: stored, fromMs, toMs }
}
