import { seconds } from './findings.ts'
import type { Row } from './stage.ts'

interface Column {
  readonly title: string
  /** In a terminal; all together with the gaps fit into 140 columns. */
  readonly width: number
  readonly align?: 'left'
  cell(row: Row): string
}

const count = (value: number) => value.toLocaleString('en-US')
const time = (ms: number | undefined) => (ms === undefined ? '–' : seconds(ms))

/** What is printed of each row, and stands in docs/faults.md. */
export const columns: readonly Column[] = [
  { title: '#', width: 2, cell: ({ number }) => String(number) },
  { title: 'what was broken', width: 40, align: 'left', cell: ({ name }) => name },
  {
    title: 'for',
    width: 11,
    cell: ({ times, brokenForMs }) => {
      if (times === 0) return '–'
      return times === 1 ? seconds(brokenForMs) : `${times} × ${seconds(brokenForMs / times)}`
    },
  },
  { title: 'sent', width: 7, cell: ({ sent }) => count(sent) },
  { title: 'accepted', width: 8, cell: ({ accepted }) => count(accepted) },
  { title: 'counted', width: 7, cell: ({ counted }) => count(counted) },
  { title: 'dup', width: 6, cell: ({ duplicates }) => count(duplicates) },
  { title: 'dead', width: 4, cell: ({ dead }) => count(dead) },
  { title: 'lost', width: 4, cell: ({ lost }) => count(lost) },
  { title: 'unexp', width: 5, cell: ({ unexpected }) => count(unexpected) },
  { title: 'over', width: 4, cell: ({ overcounted }) => count(overcounted) },
  { title: 'no 202', width: 6, cell: ({ recovered }) => count(recovered) },
  { title: 'accepts', width: 7, cell: ({ acceptedAgainMs }) => time(acceptedAgainMs) },
  { title: 'backlog', width: 7, cell: ({ backlogGoneMs }) => time(backlogGoneMs) },
  { title: 'slowest', width: 7, cell: ({ slowestAnswerMs }) => time(slowestAnswerMs) },
]

export const legend = [
  'for: how long it was broken, and how often. accepted: answered 202. dup: skipped, since their id was there already.',
  'dead: in the dead letters. unexp: stored though never sent. over: the counters are off by so many.',
  'no 202: stored though their 202 never arrived. accepts: until every ingest accepted again (– where none had stopped).',
  'backlog: until it was gone. slowest: the longest that an answer of an ingest took.',
]

export function headerLine(): string {
  return line(columns.map(({ title }) => title))
}

export function rowLine(row: Row): string {
  return line(columns.map((column) => column.cell(row)))
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, index) => {
      const { width = 0, align } = columns[index] ?? {}
      return align === 'left' ? cell.padEnd(width) : cell.padStart(width)
    })
    .join(' ')
    .trimEnd()
}
