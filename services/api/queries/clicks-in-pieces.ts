import { bucketWidths } from '@clicktally/database/counter-buckets.ts'
import { timestampText } from '@clicktally/database/timestamp-text.ts'
import type { PoolClient } from 'pg'
import { bucketPieces, type Piece } from '../time/bucket-pieces.ts'
import type { RolledUpBefore } from './counter-state.ts'

/**
 * The clicks of a project in each of these pieces, by people and bots, by the counters. One statement of one form, so that it is planned
 * once for each connection.
 */
export async function clicksIn(
  client: Pick<PoolClient, 'query'>,
  projectId: number,
  pieces: readonly Piece[],
  rolledUpBefore: RolledUpBefore,
): Promise<number[]> {
  if (pieces.length === 0) return []
  const divided = pieces.map((piece) => bucketPieces(piece, rolledUpBefore, 'month'))
  const ofWidths = bucketWidths.map((width) => divided.map((buckets) => buckets[width]))
  const { rows } = await client.query<{ place: number; clicks: number }>({
    ...statement,
    values: [projectId, ...[...ofWidths, pieces.map((piece) => [piece])].flatMap(columnsOf)],
  })
  const found = new Map(rows.map(({ place, clicks }) => [place, clicks]))
  return pieces.map((_, place) => found.get(place) ?? 0)
}

/** The arrays of a statement's parameters: the place of the piece to which each part belongs, and where the part begins and ends. */
function columnsOf(partsOf: readonly (readonly Piece[])[]): [number[], string[], string[]] {
  const parts = partsOf.flatMap((ofPiece, place) => ofPiece.map((part) => ({ place, ...part })))
  return [
    parts.map(({ place }) => place),
    parts.map(({ fromMs }) => timestampText(fromMs)),
    parts.map(({ toMs }) => timestampText(toMs)),
  ]
}

const statement = { name: 'clicks in pieces', text: text() }

function text(): string {
  const sum = (table: string, width: string, parameter: number, more = '') => `
      select place, (
        select sum(total::bigint + bots) from ${table}
        where project_id = $1::int and target = '' and ${width} >= "from" and ${width} < "to"${more}
      ) as clicks
      from unnest($${parameter}::int[], $${parameter + 1}::timestamptz[], $${parameter + 2}::timestamptz[]) as part (place, "from", "to")`
  const buckets = bucketWidths.map((width, index) => sum(`${width}_counters`, width, 2 + 3 * index))
  const ofMinutes = 2 + 3 * bucketWidths.indexOf('minute')
  const packed = sum('packed_minutes', 'minute', ofMinutes, ` and hour > "from" - interval '1 hour' and hour < "to"`)
  const deltas = sum('counter_deltas', 'minute', 2 + 3 * bucketWidths.length)
  return `
    select place, coalesce(sum(clicks), 0)::bigint as clicks
    from (${[...buckets, packed, deltas].join('\n      union all')}
    ) as part
    group by place`
}
