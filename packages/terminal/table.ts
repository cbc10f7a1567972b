import cliTruncate from 'cli-truncate'
import stringWidth from 'string-width'
import { printable } from './printable.ts'

/** Every table fits a terminal of this many columns. */
export const tableColumns = 100

const columnGap = '  '

export interface Column {
  title: string
  align: 'left' | 'right'
  /** Shrinks when the table is wider than 100 columns: its texts are then truncated in the middle. */
  flexible?: true
}

/** Returns the lines of a table, titles first. Each column is as wide as its widest cell. */
export function renderTable(columns: Column[], rows: string[][]): string[] {
  const titled = [columns.map(({ title }) => title), ...rows.map((row) => row.map(printable))]
  const widths = columns.map((_, index) => Math.max(...titled.map((row) => stringWidth(row[index] ?? ''))))
  shrinkFlexible(columns, widths)
  return titled.map((row) =>
    columns
      .map(({ align }, index) => pad(truncateMiddle(row[index] ?? '', widths[index] ?? 0), widths[index] ?? 0, align))
      .join(columnGap)
      .trimEnd(),
  )
}

/** Shortens text to this many terminal columns by leaving out its middle: both ends of a path identify it best. */
export function truncateMiddle(text: string, columns: number): string {
  return cliTruncate(text, columns, { position: 'middle' })
}

function shrinkFlexible(columns: Column[], widths: number[]): void {
  const flexible = columns.flatMap(({ flexible }, index) => (flexible ? [index] : []))
  const gaps = columnGap.length * (columns.length - 1)
  let left = widths.reduce((sum, width, index) => (flexible.includes(index) ? sum : sum - width), tableColumns - gaps)
  // Narrow columns first: the space that they do not need goes to the wide ones.
  flexible.sort((a, b) => (widths[a] ?? 0) - (widths[b] ?? 0))
  for (const [place, index] of flexible.entries()) {
    widths[index] = Math.min(widths[index] ?? 0, Math.floor(left / (flexible.length - place)))
    left -= widths[index]
  }
}

function pad(text: string, columns: number, align: Column['align']): string {
  const space = ' '.repeat(Math.max(0, columns - stringWidth(text)))
  return align === 'left' ? text + space : space + text
}
