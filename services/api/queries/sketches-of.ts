import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'

/** A version of a row of the hourly, daily or monthly counters. */
export interface SketchKey {
  readonly width: 'hour' | 'day' | 'month'
  /** Milliseconds since 1970. */
  readonly startMs: number
  readonly target: string
  /** Changes with each update: the transaction that wrote the row. */
  readonly version: string
}

export type Sketch = SketchKey & { readonly visitors: readonly number[] }

/** The current sketches of these rows, whatever their version. */
export async function sketchesOf(db: Kysely<Tables>, projectId: number, keys: readonly SketchKey[]): Promise<Sketch[]> {
  const ofWidths = (['hour', 'day', 'month'] as const).flatMap((width) => {
    const its = keys.filter((key) => key.width === width)
    if (its.length === 0) return []
    const start = sql.ref(width)
    return sql`
      select ${sql.lit(width)} as width, extract(epoch from ${start}) * 1000 as "startMs", target, xmin::text as version, visitors
      from ${sql.table(`${width}_counters`)}
      where project_id = ${projectId} and (${start}, target) in (
        select * from unnest(
          ${its.map(({ startMs }) => new Date(startMs).toISOString())}::timestamptz[],
          ${its.map(({ target }) => target)}::text[]))`
  })
  const { rows } = await sql<Sketch>`${sql.join(ofWidths, sql` union all `)}`.execute(db)
  return rows
}
