/** Ids between two bounds, neither of which is the id of a click. */
export interface IdRange {
  readonly fromId: string
  readonly toId: string
}

/** The ids in a partition of clicks: `clicks_20261128` has a day, `clicks_202611` a month (create_click_partition). */
export function partitionIds(name: string): IdRange {
  const [, year, month, day] = /^clicks_(\d{4})(\d\d)(\d\d)?$/.exec(name) ?? []
  if (year === undefined) throw new Error(`${name} is no partition of clicks`)
  const at = (months: number, days: number) =>
    firstId(Date.UTC(Number(year), Number(month) - 1 + months, Number(day ?? 1) + days))
  return { fromId: at(0, 0), toId: day === undefined ? at(1, 0) : at(0, 1) }
}

/** The bound below all ids of this time. */
function firstId(timeMs: number): string {
  const hex = timeMs.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`
}
