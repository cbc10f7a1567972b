import { ClickRows, type ValueColumn } from '@clicktally/columns/click-rows.ts'
import { maxPartRows } from '@clicktally/columns/column.ts'
import type { Part, PartColumn } from '@clicktally/columns/part.ts'
import { CopyOut } from '@clicktally/database/copy-out.ts'
import type { Dimension, DimensionSource } from '@clicktally/dimensions/dimensions.ts'
import type { PoolClient } from 'pg'
import type { ValueIds } from './value-ids.ts'

export interface RowRange {
  readonly projectId: number
  /** Half-open, in milliseconds since 1970, and finite. */
  readonly pieces: readonly { readonly fromMs: number; readonly toMs: number }[]
  readonly dimensions: readonly Dimension[]
  readonly visitors: boolean
}

/** Passes raw clicks to a function, in any order. @throws the database error */
export async function readRowParts(
  client: PoolClient,
  { projectId, pieces, dimensions, visitors }: RowRange,
  idsOf: (dimension: string) => ValueIds,
  onPart: (part: Part) => void,
): Promise<void> {
  if (pieces.length === 0) return
  const sources: readonly DimensionSource[] = [
    ...new Set(dimensions.flatMap((dimension): readonly DimensionSource[] => dimension.sources)),
  ]
  const time = (ms: number) => `'${new Date(ms).toISOString()}'`
  const within = pieces.map(({ fromMs, toMs }) => `occurred_at >= ${time(fromMs)} and occurred_at < ${time(toMs)}`)
  let rows = new ClickRows(sources)
  const pass = () => {
    onPart(new RowPart(rows, dimensions, idsOf))
    rows = new ClickRows(sources)
  }
  const fields = ['occurred_at', 'bot', visitors ? 'visitor' : 'null::int', ...sources]
  const copy = new CopyOut(
    `copy (
       select ${fields.join(', ')} from attributed_clicks
       where project_id = ${projectId} and (${within.join(' or ')})
     ) to stdout (format binary)`,
    (bytes, at) => {
      rows.add(bytes, at)
      if (rows.size === maxPartRows) pass()
    },
  )
  client.query(copy)
  await copy.done
  if (rows.size > 0) pass()
}

class RowPart implements Part {
  readonly #rows: ClickRows
  readonly #columns: ReadonlyMap<string, ValueColumn>
  readonly #idsOf: (dimension: string) => ValueIds

  constructor(rows: ClickRows, dimensions: readonly Dimension[], idsOf: (dimension: string) => ValueIds) {
    this.#rows = rows
    this.#columns = rows.valuesOf(dimensions)
    this.#idsOf = idsOf
  }

  get rows(): number {
    return this.#rows.size
  }

  column(name: string): PartColumn {
    const column = this.#columns.get(name)
    if (column === undefined) throw new RangeError(`the rows were read without ${name}`)
    const ids = this.#idsOf(name)
    return { ids: column.values.map((value) => ids.idOf(value)), positions: column.positions }
  }

  minutes(): PartColumn {
    const ids: number[] = []
    const positionOf = new Map<number, number>()
    const positions = Uint16Array.from(this.#rows.minutes, (minute) => {
      const position = positionOf.get(minute) ?? ids.push(minute) - 1
      positionOf.set(minute, position)
      return position
    })
    return { ids, positions }
  }

  bots(): Uint8Array {
    return this.#rows.bots
  }

  visitors(): Int32Array {
    return this.#rows.visitors
  }
}
