import type { AnswerTally } from './answer-watch.ts'
import { seconds } from './findings.ts'
import type { Row } from './stage.ts'

interface Column {
  readonly title: string
  /** In a terminal: all columns with their gaps fit into 140 characters. Undefined: only in the document. */
  readonly width?: number
  /** A sum of what the document shows in several columns. */
  readonly onlyInTerminal?: true
  readonly align?: 'left'
  cell(row: Row): string
}

const count = (value: number) => value.toLocaleString('en-US')
const time = (ms: number | undefined) => (ms === undefined ? '–' : seconds(ms))

const tally = (...tallies: AnswerTally[]) => {
  const sum = (figure: keyof AnswerTally) => count(tallies.reduce((total, each) => total + each[figure], 0))
  return `${sum('wrong')}/${sum('answers')}`
}

const columns: readonly Column[] = [
  { title: '#', width: 2, cell: ({ number }) => String(number) },
  { title: 'fault', width: 40, align: 'left', cell: ({ name }) => name },
  {
    title: 'duration',
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
  { title: 'wrong counts', cell: ({ apiAnswers }) => tally(apiAnswers.counts) },
  { title: 'wrong balances', cell: ({ apiAnswers }) => tally(apiAnswers.balance) },
  {
    title: 'wrong',
    width: 7,
    onlyInTerminal: true,
    cell: ({ apiAnswers }) => tally(apiAnswers.counts, apiAnswers.balance),
  },
  { title: 'resumed', width: 7, cell: ({ acceptedAgainMs }) => time(acceptedAgainMs) },
  { title: 'backlog', width: 7, cell: ({ backlogGoneMs }) => time(backlogGoneMs) },
  { title: 'slowest', width: 7, cell: ({ slowestAnswerMs }) => time(slowestAnswerMs) },
]

/** The columns of docs/faults.md. */
export const documentColumns = columns.filter(({ onlyInTerminal }) => !onlyInTerminal)
const terminalColumns = columns.filter(({ width }) => width !== undefined)

export const legend = [
  'duration: of the fault, and its repetitions. accepted: answered with 202. dup: skipped, since their id was already stored.',
  'dead: in the dead letters. unexp: stored but never sent. over: difference between the counters and the stored clicks.',
  'no 202: stored, but the client received no 202. wrong: wrong responses of the api / checked responses.',
  'resumed: time until every ingest accepted clicks again (– if none had stopped).',
  'backlog: time until the backlog was processed. slowest: the slowest response of an ingest.',
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
