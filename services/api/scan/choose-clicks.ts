import type { Part, PartColumn } from '@clicktally/columns/part.ts'

/** A condition that a click has to meet. */
export interface IdFilter {
  readonly dimension: string
  readonly matches: (id: number) => boolean
  /** Whether it is not known if clicks with this id meet it. They are not chosen. Default: never. */
  readonly isUnknown?: (id: number) => boolean
}

/** Half-open, in minutes since 1970; infinite if unbounded. */
export interface MinuteRange {
  readonly fromMinute: number
  readonly toMinute: number
}

/** Reused for each part: the masks of two parts are never needed at the same time. */
const mask = new Uint8Array(65_536)

export interface Chosen {
  /** 1 for each click in the range that meets all conditions, else 0. Valid until the next call. */
  readonly mask: Uint8Array
  /** Clicks in the range, whether they meet the conditions or not, without those of which that is not known. */
  readonly known: number
}

/** Chooses clicks of a part. */
export function chooseClicks(part: Part, { fromMinute, toMinute }: MinuteRange, filters: readonly IdFilter[]): Chosen {
  const { rows } = part
  let isCut = restrict(rows, part.minutes(), (minute) => minute >= fromMinute && minute < toMinute, false)
  for (const { dimension, isUnknown } of filters)
    if (isUnknown !== undefined) isCut = restrict(rows, part.column(dimension), (id) => !isUnknown(id), isCut)
  let known = rows
  if (isCut) {
    known = 0
    for (let row = 0; row < rows; row += 1) known += mask[row] as number
  }
  for (const { dimension, matches } of filters) isCut = restrict(rows, part.column(dimension), matches, isCut)
  if (!isCut) mask.fill(1, 0, rows)
  return { mask, known }
}

/** Reused for each column, by position. */
const matching = new Uint8Array(65_536)

/**
 * Removes the clicks without a matching id from the mask.
 *
 * @param isCut whether clicks were removed before; otherwise the mask has no content yet
 * @returns whether clicks are removed
 */
function restrict(
  rows: number,
  { ids, positions }: PartColumn,
  matches: (id: number) => boolean,
  isCut: boolean,
): boolean {
  let matched = 0
  for (let position = 0; position < ids.length; position += 1) {
    const isMatch = matches(ids[position] as number)
    matching[position] = isMatch ? 1 : 0
    if (isMatch) matched += 1
  }
  if (matched === ids.length) return isCut
  if (matched === 0) mask.fill(0, 0, rows)
  else if (isCut) {
    for (let row = 0; row < rows; row += 1) {
      ;(mask[row] as number) &= matching[positions[row] as number] as number
    }
  } else for (let row = 0; row < rows; row += 1) mask[row] = matching[positions[row] as number] as number
  return true
}
