import type { ClickColumn } from '@clicktally/database/click-columns.ts'
import type { Pool } from 'pg'
import type { ArrangedBatch } from '../rows/click-batch.ts'
import { type ClickRow, decodeLine, keyOf } from '../rows/click-row.ts'

const maxDetailChars = 500

/** Runs the statement. Returns the clicks that were new. @throws the database error */
export type CountClicks = (queryable: Pick<Pool, 'query'>, batch: ArrangedBatch) => Promise<readonly ClickRow[]>

/** @param columns of the clicks' rows */
export function createCountClicks(columns: readonly ClickColumn[]): CountClicks {
  const text = statementFor(columns)
  return async (queryable, { entries, clicks }) => {
    const all = clicks.map(({ click }) => decodeLine(click))
    const letters = entries.flatMap(({ stamp, deadLetters }) => deadLetters.map((letter) => ({ stamp, letter })))
    const { rows } = await queryable.query<{ counted: string[] | null }>({
      name: 'count-clicks',
      text,
      values: [
        ...columns.map(({ value }) => all.map(value)),
        clicks.map(({ entry }) => entry),
        entries.map(({ stamp }) => stamp.producer),
        entries.map(({ stamp }) => stamp.sequence),
        entries.map(({ stamp }) => stamp.clicks),
        entries.map(({ clicks }) => clicks.length),
        entries.map(({ before }) => before?.counted ?? 0),
        entries.map(({ before }) => before?.duplicates ?? 0),
        entries.map(({ deadLetters }) => deadLetters.reduce((sum, { clicks }) => sum + clicks, 0)),
        entries.map(({ stamp }) => stamp.settled),
        entries.map(({ stamp }) => stamp.confirmed),
        letters.map(({ stamp }) => stamp.producer),
        letters.map(({ stamp }) => stamp.sequence),
        letters.map(({ letter }) => letter.reason),
        letters.map(({ letter }) => storable(letter.detail)),
        letters.map(({ letter }) => storable(letter.type)),
        letters.map(({ letter }) => letter.content),
        letters.map(({ letter }) => letter.clicks),
        letters.map(({ letter }) => `{${letter.clickIds.join(',')}}`),
        letters.map(({ letter }) => storable(letter.requestId)),
        letters.map(({ letter }) => `{${letter.clickProjects.join(',')}}`),
      ],
    })
    const counted = new Set(rows[0]?.counted)
    return clicks.flatMap(({ click }) => (counted.has(keyOf(click)) ? click : []))
  }
}

/** Text from a message may contain what PostgreSQL cannot store. */
function storable(text: string | undefined): string | null {
  return text?.slice(0, maxDetailChars).toWellFormed().replaceAll('\0', '\ufffd') ?? null
}

/**
 * Stores, counts and accounts in one statement: exactly what is inserted is counted, and each message is entered in the ledger with
 * the outcome of its clicks. For batches with something that may be known already; others are written with COPY (batch-copier.ts),
 * with the same effect.
 *
 * Clicks are sorted by id, without duplicates, and messages by their key, so that two processors never deadlock. Counts are only
 * inserted (counter_deltas), which waits for nothing. No part joins the inserted rows: a cached plan does not know the lengths of
 * the arrays, and might choose a nested loop.
 *
 * Its parameters are an array for each column of the clicks, and one with the place of each click's message among the messages,
 * from 1; then the messages and the dead letters.
 */
function statementFor(columns: readonly ClickColumn[]): string {
  const names = columns.map(({ name }) => name).join(', ')
  let parameters = 0
  const arrays = (...types: readonly string[]) => types.map((type) => `$${++parameters}::${type}[]`).join(', ')
  return `
with input as materialized (
  select *
  from unnest(${arrays(...columns.map(({ type }) => type), 'int')}) as click (${names}, message)
), inserted as (
  insert into clicks (${names})
  select ${names} from input
  on conflict (id, project_id) do nothing
  returning id, project_id, target, occurred_at, bot, visitor_id
), counted as (
  insert into counter_deltas (project_id, target, minute, total, bots, visitors)
  select
    project_id,
    -- All targets together.
    coalesce(target, ''),
    minute,
    sum(total),
    sum(bots),
    -- distinct sorts.
    visitor_sketch(array_agg(distinct visitor) filter (where visitor is not null))
  from inserted cross join lateral click_count(project_id, occurred_at, bot, visitor_id)
  group by project_id, minute, grouping sets ((target), ())
), stored as (
  -- How many clicks of each message were new: those that are on both sides.
  select message, count(*) as clicks
  from (
    select max(message) as message
    from (
      select id, project_id, message from input
      union all
      select id, project_id, null from inserted
    ) as side
    group by id, project_id
    having count(*) = 2
  ) as new_click
  group by message
), accounted as (
  insert into messages as known (producer, sequence, clicks, counted, duplicates, dead, settled, confirmed)
  select
    producer, sequence, message.clicks,
    message.counted + coalesce(stored.clicks, 0),
    message.duplicates + message.readable - coalesce(stored.clicks, 0),
    -- A folded message is already accounted for: it is not dead even if it is given up now.
    case when folded @> sequence then 0 else message.dead end,
    message.settled, message.confirmed
  from unnest(${arrays('uuid', 'bigint', 'int', 'int', 'int', 'int', 'int', 'bigint', 'bigint')})
    with ordinality
    as message (producer, sequence, clicks, readable, counted, duplicates, dead, settled, confirmed, ordinal)
  left join stored on stored.message = message.ordinal
  left join producers using (producer)
  order by producer, sequence
  -- Redelivery: its clicks are duplicates of themselves, and nothing changes. But if the message was recorded as dead, and a
  -- processor that had been cut off writes it after all, this is its outcome. If some of its clicks were refused and are accepted
  -- now, they are no longer dead.
  on conflict (producer, sequence) do update set
    counted = known.counted + excluded.counted,
    duplicates = case when known.dead = known.clicks then excluded.duplicates else known.duplicates end,
    dead = case when known.dead = known.clicks then excluded.dead else known.dead - excluded.counted end
    where excluded.counted > 0
  returning producer, sequence, known.dead, old.producer is null as is_new, old.dead = old.clicks as was_dead
), buried as (
  insert into dead_letters (producer, sequence, reason, detail, type, content, clicks, click_ids, request_id, click_projects)
  select producer, sequence, reason, detail, type, content, letter.clicks, click_ids::uuid[], request_id, click_projects::int[]
  from unnest(${arrays('uuid', 'bigint', 'text', 'text', 'text', 'bytea', 'int', 'text', 'text', 'text')})
    as letter (producer, sequence, reason, detail, type, content, clicks, click_ids, request_id, click_projects)
  join accounted using (producer, sequence)
  where (is_new or was_dead) and accounted.dead > 0
), revived as (
  update dead_letters set resolution = 'counted', resolved_at = clock_timestamp()
  from accounted
  where not is_new and resolution is null
    and dead_letters.producer = accounted.producer and dead_letters.sequence = accounted.sequence
    and (was_dead or click_ids <@ (select array_agg(id) from inserted))
)
select (select array_agg(id || '/' || project_id) from inserted) as counted, (select count(*) from accounted) as messages`
}
