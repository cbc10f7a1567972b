import { ClickRows } from '@clicktally/columns/click-rows.ts'
import { ClickTexts } from '@clicktally/columns/click-texts.ts'
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

/** Texts of earlier parts are kept up to this size. */
const maxTextBytes = 16 * 1024 * 1024

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
  let texts = new ClickTexts(dimensions)
  let rows = new ClickRows(sources, texts)
  const pass = () => {
    onPart(new RowPart(rows, texts, idsOf))
    if (texts.bytes > maxTextBytes) texts = new ClickTexts(dimensions)
    rows = new ClickRows(sources, texts)
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
  readonly #texts: ClickTexts
  readonly #idsOf: (dimension: string) => ValueIds

  constructor(rows: ClickRows, texts: ClickTexts, idsOf: (dimension: string) => ValueIds) {
    this.#rows = rows
    this.#texts = texts
    this.#idsOf = idsOf
  }

  get rows(): number {
    return this.#rows.size
  }

  column(name: string): PartColumn {
    const { values, indexes } = this.#texts.columnOf(name, this.#rows)
    const ids = this.#idsOf(name)
    return { ids: values.map((value) => ids.idOf(value)), positions: indexes }
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
