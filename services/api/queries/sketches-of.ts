import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import type { SketchKey } from '../kept-sketches.ts'

export type Sketch = SketchKey & { readonly visitors: readonly number[] }

/** The sketches of these rows as they are now, whatever their version. */
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
