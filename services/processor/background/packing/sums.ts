import { maxPartRows } from '@clicktally/columns/column.ts'
import { readColumnParts } from '@clicktally/columns/column-parts.ts'
import { GroupCounts } from '@clicktally/columns/group-counts.ts'
import { addSums, encodeSums } from '@clicktally/columns/sums.ts'
import { dimensions } from '@clicktally/dimensions/dimensions.ts'
import type { PoolClient } from 'pg'
import { canBePacked, type StaleHour } from './stale-hours.ts'

interface Period {
  readonly project_id: number
  readonly width: 'day' | 'month'
  readonly start: Date
  readonly ends_at: Date
}

/** Columns that are no dimensions by which clicks are summed. */
const noDimensions = ['minute', 'bot', 'visitor']
const everyClick = new Uint8Array(maxPartRows).fill(1)

/** Says that the days and the months of these hours have to be summed again. @param client in the transaction that packs them */
export async function markSumsStale(client: PoolClient, hours: readonly StaleHour[]): Promise<void> {
  await client.query(
    `insert into stale_sums (project_id, width, start)
     select distinct project_id, width, date_trunc(width, hour, 'UTC')
     from unnest($1::int[], $2::timestamptz[]) as packed (project_id, hour) cross join unnest(array['day', 'month']) as width
     on conflict do nothing`,
    [hours.map(({ projectId }) => projectId), hours.map(({ hour }) => hour)],
  )
}

/**
 * Sums the columns of a day that is over, or the days of such a month. All of its hours have to be packed, except those that cannot be.
 *
 * @param client in a transaction that keeps others from packing, with UTC as its zone
 * @returns undefined if nothing is due
 * @throws the database error
 */
export async function sumNextPeriod(client: PoolClient): Promise<true | undefined> {
  const { rows } = await client.query<Period>(
    `select project_id, width, start, ends_at
     from (select *, start + ('1 ' || width)::interval as ends_at from stale_sums) as period
     where ends_at <= now() - interval '65 minutes'
       and not exists (
         select from stale_hours as mark
         where mark.project_id = period.project_id and mark.hour >= period.start and mark.hour < period.ends_at
           and ${canBePacked('mark')})
       and (width = 'day' or not exists (
         select from stale_sums as part
         where part.project_id = period.project_id and part.width = 'day'
           and part.start >= period.start and part.start < period.ends_at))
     order by width, start desc limit 1`,
  )
  const [period] = rows
  if (period === undefined) return undefined
  const sums = await (period.width === 'day' ? sumHours(client, period) : sumDays(client, period))
  const key = [period.project_id, period.width, period.start]
  await client.query('delete from dimension_sums where project_id = $1 and width = $2 and start = $3', key)
  await client.query(
    `insert into dimension_sums (project_id, width, start, dimension, data)
     select $1, $2, $3, dimension, data from unnest($4::text[], $5::bytea[]) as sums (dimension, data)`,
    [...key, [...sums.keys()], [...sums.values()].map(encodeSums)],
  )
  await client.query('delete from stale_sums where project_id = $1 and width = $2 and start = $3', key)
  return true
}

async function sumHours(client: PoolClient, { project_id: projectId, start, ends_at: end }: Period) {
  const { rows } = await client.query<{ dimension: string }>(
    `select distinct dimension from click_columns
     where project_id = $1 and hour >= $2 and hour < $3 and dimension <> all ($4)`,
    [projectId, start, end, noDimensions],
  )
  // Those without a column as well: their clicks have no value.
  const names = new Set([...dimensions.map(({ name }) => name), ...rows.map(({ dimension }) => dimension)])
  const sums = new Map(Array.from(names, (name) => [name, new GroupCounts()]))
  await readColumnParts(
    client,
    {
      projectId,
      pieces: [{ fromMs: start.getTime(), toMs: end.getTime() }],
      except: [],
      names: [...names, 'bot'],
      minutesOf: [],
    },
    (part) => {
      const bots = part.bots()
      for (const [name, counts] of sums) counts.add(part.rows, everyClick, part.column(name), bots)
    },
  )
  return sums
}

async function sumDays(client: PoolClient, { project_id: projectId, start, ends_at: end }: Period) {
  const { rows } = await client.query<{ dimension: string; data: Buffer }>(
    `select dimension, data from dimension_sums
     where project_id = $1 and width = 'day' and start >= $2 and start < $3`,
    [projectId, start, end],
  )
  const sums = new Map<string, GroupCounts>()
  for (const { dimension, data } of rows) {
    const counts = sums.get(dimension) ?? new GroupCounts()
    addSums(data, counts)
    sums.set(dimension, counts)
  }
  return sums
}
