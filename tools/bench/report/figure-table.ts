import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import { samplesText } from './samples.ts'

export interface FigureTable {
  readonly caption?: string
  /** What the rows are: the title of the first column. */
  readonly of: string
  readonly columns: readonly { readonly name: string; readonly unit: string }[]
  readonly rows: readonly FigureRow[]
}

export interface FigureRow {
  readonly name: string
  /** Samples by column, one per round; shown as their median and range. Undefined where the column does not apply. */
  readonly cells: readonly (readonly number[] | undefined)[]
  /** Why the figures are void; shown instead of them. */
  readonly voided?: string | undefined
}

/** A column, and how its figure is taken from a turn; undefined where it does not apply. */
export interface FigureColumn<Turn> {
  readonly name: string
  readonly unit: string
  readonly figure: (turn: Turn) => number | undefined
}

/** Makes a table with a row for each thing that was measured, from its turns in all rounds. */
export function tableOfTurns<Turn>(
  of: string,
  columns: readonly FigureColumn<Turn>[],
  rows: readonly { readonly name: string; readonly turns: readonly Turn[]; readonly voided?: string | undefined }[],
): FigureTable {
  return {
    of,
    columns: columns.map(({ name, unit }) => ({ name, unit })),
    rows: rows.map(({ name, turns, voided }) => ({
      name,
      cells: columns.map(({ figure }) => {
        const samples = turns.flatMap((turn) => figure(turn) ?? [])
        return samples.length > 0 ? samples : undefined
      }),
      voided,
    })),
  }
}

/** Formats a table for a terminal. */
export function terminalTable({ caption, of, columns, rows }: FigureTable): string[] {
  const titles: Column[] = columns.map((column) => ({ title: titleOf(column), align: 'right' }))
  return [
    ...(caption === undefined ? [] : [caption]),
    ...renderTable([{ title: of, align: 'left' }, ...titles], rows.map(rowTexts)),
  ]
}

/** Formats a table as Markdown. */
export function markdownFigures({ caption, of, columns, rows }: FigureTable): string {
  const table = markdownTable(
    [of, ...columns.map(titleOf)],
    columns.map(() => 'right'),
    rows.map((row) => [...rowTexts(row), ...Array(columns.length).fill('')].slice(0, columns.length + 1)),
  )
  return caption === undefined ? table : `${caption}\n\n${table}`
}

/** @param alignments of all columns but the first, which is aligned to the left */
export function markdownTable(
  titles: readonly string[],
  alignments: readonly ('left' | 'right')[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const rule = `|---|${alignments.map((alignment) => (alignment === 'left' ? '---|' : '---:|')).join('')}`
  return [line(titles), rule, ...rows.map(line)].join('\n')
}

function rowTexts({ name, cells, voided }: FigureRow): string[] {
  return voided === undefined ? [name, ...cells.map(samplesText)] : [name, `void: ${voided.split('\n', 1)[0]}`]
}

function titleOf({ name, unit }: { readonly name: string; readonly unit: string }): string {
  return unit === '' ? name : `${name}, ${unit}`
}
