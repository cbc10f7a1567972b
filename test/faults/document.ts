import type { Balance } from '@clicktally/database/balance.ts'
import type { AnswerTally } from './answer-watch.ts'
import { documentColumns } from './fault-table.ts'
import { Findings, seconds } from './findings.ts'
import type { FaultRecord, Run } from './record.ts'

export interface DocumentOptions {
  /** The heading, and what the suite does: some sentences. */
  readonly heading: string
  readonly introduction: string
  readonly record: FaultRecord
}

/** Returns the text of a document about faults, which is generated completely. */
export function faultsDocument({ heading, introduction, record }: DocumentOptions): string {
  const { rows, promises, balances, notes, problems } = new Findings(record.findings)
  const repeated = rows.reduce((sum, { times }) => sum + times, 0)
  const sum = (figure: 'accepted' | 'lost' | 'overcounted') => rows.reduce((total, row) => total + row[figure], 0)
  const checked = (figure: keyof AnswerTally) =>
    rows.reduce((total, { apiAnswers: { counts, balance } }) => total + counts[figure] + balance[figure], 0)
  return `# ${heading}

${introduction}

${count(repeated)} faults of ${rows.length} kinds; ${count(sum('accepted'))} clicks accepted, ${count(sum('lost'))} lost, ${count(sum('overcounted'))} overcounted;
${count(checked('answers'))} responses of the api checked against the accepted clicks, ${count(checked('wrong'))} wrong.
${problems.length === 0 ? '' : `\n**${problems.length} checks failed:**\n\n${list(problems)}\n`}
Of each row this is the newest result, from ${record.runs.length === 1 ? 'this run' : 'these runs'}:

${list(record.runs.map(describeRun))}

## Faults in detail

A: ids answered with 202. E: stored ids. D: ids in the dead letters. R: the sum of the counters. Each row uses its own targets:

- accepted = |A|; counted = |E|; lost = |A \\ (E ∪ D)|; unexp(ected) = |ids in E ∪ D that were never sent|; over(counted) = the sum over
  the targets of the absolute difference between R and |E|;
- no 202 = |E \\ A|: stored, but the client received no 202, for example because the ingest was killed before it could respond and
  the client gave up;
- duration: how long the fault lasted, and how many times it was repeated; dup(licates): clicks skipped because their id was already stored,
  according to the balance; dead: clicks in the dead letters, according to the balance;
- wrong counts, wrong balances: the suite requests counts and the balance from the api throughout the row. Each response states the time up to
  which it is complete (\`meta.asOf\`). It is wrong if a click answered with 202 before that time is missing, or if that time is in the
  future. Wrong responses / checked responses;
- resumed: from the end of the fault until every ingest had accepted a click sent after it, the longest of all repetitions; – if no ingest
  stopped accepting;
- backlog: from the end of the fault until every click accepted more than a second ago was counted;
- slowest: the slowest response of an ingest;
- run: when the run was started, in UTC, and the commit that it tried.

Clients send single clicks and batches. Most retry with the same ids until they are accepted; some give up.

${table(
  [...documentColumns.map(({ title, align }) => ({ title, left: align === 'left' })), { title: 'run', left: true }],
  record.findings.flatMap(({ row, run }) => {
    if (row === undefined) return []
    return [
      [...documentColumns.map(({ cell }) => cell(row)), nameOf(record.runs.find((each) => each.startedAt === run))],
    ]
  }),
)}

## Time limits

${table(
  [{ title: '', left: true }, { title: 'limit' }, { title: 'worst' }, { title: 'measurements' }],
  promises.map(({ name, limitMs, worstMs, times }) => [
    name,
    limitMs === undefined ? '–' : `≤ ${seconds(limitMs)}`,
    seconds(worstMs),
    count(times),
  ]),
)}

## The balance

accepted = counted + duplicates + dead + discarded + in flight, in clicks since the system was started for the first time.

${table(
  [{ title: '', left: true }, ...balanceColumns.map((title) => ({ title }))],
  balances.map(({ moment, balance }) => [moment, ...balanceColumns.map((name) => count(balance[name]))]),
)}

## Notes

${notes.length === 0 ? 'None.' : list(notes)}
`
}

const balanceColumns = [
  'accepted',
  'counted',
  'duplicates',
  'dead',
  'discarded',
  'inFlight',
  'overdue',
] as const satisfies readonly (keyof Balance)[]

/** `2026-01-31 23:59, 0123456` */
function nameOf(run: Run | undefined): string {
  return run === undefined ? '' : `${run.startedAt.slice(0, 16).replace('T', ' ')}, ${run.commit}`
}

function describeRun(run: Run): string {
  const { command, tookMs, versions } = run
  return `${nameOf(run)}: \`${command}\`, ${Math.round(tookMs / 60_000)} minutes, ${versions.machine}, running both the load and the servers.
  Node ${versions.node}, PostgreSQL ${versions.postgres}, RabbitMQ ${versions.rabbitmq}.`
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n')
}

function table(titles: readonly { title: string; left?: boolean }[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    line(titles.map(({ title }) => title)),
    `|${titles.map(({ left }) => (left ? '---' : '---:')).join('|')}|`,
    ...rows.map((cells) => line(cells.map((cell) => cell.replaceAll('|', '\\|')))),
  ].join('\n')
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
