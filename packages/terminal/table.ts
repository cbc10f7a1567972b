import { printable } from './printable.ts'

/** Every table fits a terminal of this many columns. */
export const tableColumns = 100

const columnGap = '  '
const ellipsis = '…'
// East Asian wide characters and emoji take two columns of a terminal, combining marks none.
const wide =
  /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u
const combining = /^[\p{Mn}\p{Me}]$/u
export interface Column {
  title: string
  align: 'left' | 'right'
  /** Takes what the others leave of 100 columns, and is cut in its middle where that is too little. */
  flexible?: true
}

/** Lines of a table with a line of titles: columns as wide as their widest cell, 100 together at most. */
export function renderTable(columns: Column[], rows: string[][]): string[] {
  const titled = [columns.map(({ title }) => title), ...rows.map((row) => row.map(printable))]
  const widths = columns.map((_, index) => Math.max(...titled.map((row) => textWidth(row[index] ?? ''))))
  fitWidths(columns, widths)
  return titled.map((row) =>
    columns
      .map(({ align }, index) => pad(cutMiddle(row[index] ?? '', widths[index] ?? 0), widths[index] ?? 0, align))
      .join(columnGap)
      .trimEnd(),
  )
}

function fitWidths(columns: Column[], widths: number[]): void {
  const flexible = columns.flatMap(({ flexible }, index) => (flexible ? [index] : []))
  const gaps = columnGap.length * (columns.length - 1)
  let left = widths.reduce((sum, width, index) => (flexible.includes(index) ? sum : sum - width), tableColumns - gaps)
  // The narrow ones first: what they do not need is for the others.
  flexible.sort((a, b) => (widths[a] ?? 0) - (widths[b] ?? 0))
  for (const [place, index] of flexible.entries()) {
    widths[index] = Math.min(widths[index] ?? 0, Math.floor(left / (flexible.length - place)))
    left -= widths[index]
  }
}

/** The text in so many columns at most, by leaving out its middle: of a path, both ends tell most. */
export function cutMiddle(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text
  const characters = [...text]
  let head = ''
  let tail = ''
  let left = columns - 1
  for (let taken = 0; taken < characters.length; taken++) {
    const next = taken % 2 === 0 ? characters[taken / 2] : characters[characters.length - (taken + 1) / 2]
    if (next === undefined) break
    left -= textWidth(next)
    if (left < 0) break
    if (taken % 2 === 0) head += next
    else tail = next + tail
  }
  return head + ellipsis + tail
}

function pad(text: string, columns: number, align: Column['align']): string {
  const space = ' '.repeat(Math.max(0, columns - textWidth(text)))
  return align === 'left' ? text + space : space + text
}

function textWidth(text: string): number {
  let columns = 0
  for (const character of text) columns += combining.test(character) ? 0 : wide.test(character) ? 2 : 1
  return columns
}
