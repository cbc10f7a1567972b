import type { AnswerTally } from './answer-watch.ts'
import { seconds } from './findings.ts'
import type { Row } from './stage.ts'

interface Column {
  readonly title: string
  /** In a terminal; all together with the gaps fit into 140 columns. Undefined: only in the document. */
  readonly width?: number
  /** Sums up what has more columns in the document. */
  readonly onlyInTerminal?: true
  readonly align?: 'left'
  cell(row: Row): string
}

const count = (value: number) => value.toLocaleString('en-US')
const time = (ms: number | undefined) => (ms === undefined ? '–' : seconds(ms))

const tally = (...tallies: AnswerTally[]) => {
  const sum = (figure: keyof AnswerTally) => count(tallies.reduce((total, each) => total + each[figure], 0))
  return `${sum('lies')}/${sum('answers')}`
}

const columns: readonly Column[] = [
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
  { title: 'sent', cell: ({ sent }) => count(sent) },
  { title: 'accepted', width: 8, cell: ({ accepted }) => count(accepted) },
  { title: 'counted', width: 7, cell: ({ counted }) => count(counted) },
  { title: 'dup', width: 6, cell: ({ duplicates }) => count(duplicates) },
  { title: 'dead', width: 4, cell: ({ dead }) => count(dead) },
  { title: 'lost', width: 4, cell: ({ lost }) => count(lost) },
  { title: 'unexp', width: 5, cell: ({ unexpected }) => count(unexpected) },
  { title: 'over', width: 4, cell: ({ overcounted }) => count(overcounted) },
  { title: 'no 202', width: 6, cell: ({ recovered }) => count(recovered) },
  { title: 'asOf lies', cell: ({ told }) => tally(told.counts) },
  { title: 'balance lies', cell: ({ told }) => tally(told.balance) },
  { title: 'lies', width: 7, onlyInTerminal: true, cell: ({ told }) => tally(told.counts, told.balance) },
  { title: 'accepts', width: 7, cell: ({ acceptedAgainMs }) => time(acceptedAgainMs) },
  { title: 'backlog', width: 7, cell: ({ backlogGoneMs }) => time(backlogGoneMs) },
  { title: 'slowest', width: 7, cell: ({ slowestAnswerMs }) => time(slowestAnswerMs) },
]

/** What docs/faults.md says of each row. */
export const documentColumns = columns.filter(({ onlyInTerminal }) => !onlyInTerminal)
const terminalColumns = columns.filter(({ width }) => width !== undefined)

export const legend = [
  'for: how long it was broken, and how often. accepted: answered 202. dup: skipped, since their id was there already.',
  'dead: in the dead letters. unexp: stored though never sent. over: the counters are off by so many.',
  'no 202: stored though their 202 never arrived. accepts: until every ingest accepted again (– where none had stopped).',
  'lies: answers of the api that lacked clicks accepted before their own asOf / answers that were compared.',
  'backlog: until it was gone. slowest: the longest that an answer of an ingest took.',
]

export function headerLine(): string {
  return line(terminalColumns.map(({ title }) => title))
}

export function rowLine(row: Row): string {
  return line(terminalColumns.map((column) => column.cell(row)))
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, index) => {
      const { width = 0, align } = terminalColumns[index] ?? {}
      return align === 'left' ? cell.padEnd(width) : cell.padStart(width)
    })
    .join(' ')
    .trimEnd()
}
