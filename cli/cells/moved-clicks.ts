import { clickPartitions } from '@clicktally/database/click-partitions.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Click } from '@clicktally/event/click.ts'
import { optionalTexts } from '@clicktally/event/event-fields.ts'
import { type Kysely, type Selectable, sql } from 'kysely'

type ClickRow = Selectable<Tables['clicks']>

/** Ids that are compared at a time. */
const pageIds = 10_000
/** Rows that are read at a time: of the largest clicks, 32 KiB each, they take 32 MB. */
const pageRows = 1_000

export interface IdPage {
  readonly ids: readonly string[]
  /** When the newest of them was received, milliseconds since 1970. */
  readonly receivedThroughMs: number
}

/**
 * The ids of a project's clicks in pages, in order. No transaction is open in between. Each query reads one partition, so that it ends in
 * time in a cell where other projects have many more clicks: the index has them in the order of their ids.
 */
export async function* clickIds(db: Kysely<Tables>, projectId: number): AsyncGenerator<IdPage> {
  for (const { fromId, toId } of await clickPartitions(db)) {
    for (let after = fromId; ; ) {
      const rows = await db
        .selectFrom('clicks')
        .select(['id', 'received_at'])
        .where('project_id', '=', projectId)
        .where('id', '>', after)
        .where('id', '<', toId)
        .orderBy('id')
        .limit(pageIds)
        .execute()
      const last = rows.at(-1)
      if (last === undefined) break
      yield {
        ids: rows.map(({ id }) => id),
        receivedThroughMs: rows.reduce((newest, row) => Math.max(newest, row.received_at.getTime()), 0),
      }
      after = last.id
    }
  }
}

/** Those of these ids that a cell has not stored. */
export async function missingIds(db: Kysely<Tables>, projectId: number, ids: readonly string[]): Promise<string[]> {
  const rows = await db
    .selectFrom('clicks')
    .select('id')
    .where('project_id', '=', projectId)
    .where(sql<boolean>`id = any(${ids}::uuid[])`)
    .execute()
  const stored = new Set(rows.map(({ id }) => id))
  return ids.filter((id) => !stored.has(id))
}

/** The clicks with these ids, in groups, as they were when ingest published them. */
export async function* readClicks(
  db: Kysely<Tables>,
  projectId: number,
  ids: readonly string[],
): AsyncGenerator<Click[]> {
  for (let from = 0; from < ids.length; from += pageRows) {
    const rows = await db
      .selectFrom('clicks')
      .selectAll()
      .where('project_id', '=', projectId)
      .where(sql<boolean>`id = any(${ids.slice(from, from + pageRows)}::uuid[])`)
      .orderBy('id')
      .execute()
    yield rows.map(clickOf)
  }
}

/** In the order of encodeClick()'s usual form, which processors read fastest. The id of the request is not stored. */
function clickOf(row: ClickRow): Click {
  const { id, project_id, target, occurred_at, received_at, bot, props } = row
  const texts = optionalTexts().flatMap(({ name, column }) => {
    const value = (row as unknown as Record<string, string | null>)[column]
    return value === null || value === undefined ? [] : [[name, value] as const]
  })
  return {
    ...{ id, projectId: project_id, target },
    ...{ occurredAtMs: occurred_at.getTime(), receivedAtMs: received_at.getTime(), requestId: 'moved' },
    ...(bot && { bot: true as const }),
    ...Object.fromEntries(texts),
    ...(props != null && { props: props as NonNullable<Click['props']> }),
  }
}
