import type { Balance } from '@clicktally/database/balance.ts'
import type { AnswerTally } from './answer-watch.ts'
import { documentColumns } from './fault-table.ts'
import { type Findings, seconds } from './findings.ts'
import type { Versions } from './versions.ts'

export interface DocumentOptions {
  /** The heading, and what the suite does: some sentences, the command included. */
  readonly heading: string
  readonly introduction: string
  readonly findings: Findings
  readonly versions: Versions
  readonly date: Date
  readonly tookMs: number
}

/** Returns the text of a document about faults, which is generated completely. */
export function faultsDocument({ heading, introduction, findings, versions, date, tookMs }: DocumentOptions): string {
  const { rows, promises, balances, notes, problems } = findings
  const repeated = rows.reduce((sum, { times }) => sum + times, 0)
  const accepted = rows.reduce((sum, row) => sum + row.accepted, 0)
  const checked = (figure: keyof AnswerTally) =>
    rows.reduce((sum, { apiAnswers: { counts, balance } }) => sum + counts[figure] + balance[figure], 0)
  return `# ${heading}

${introduction}

${date.toISOString().slice(0, 10)}, ${Math.round(tookMs / 60_000)} minutes, ${versions.machine}, running both the load
and the servers. Node ${versions.node}, PostgreSQL ${versions.postgres}, RabbitMQ ${versions.rabbitmq}.

${
  problems.length === 0
    ? `${count(repeated)} faults of ${rows.length} kinds; ${count(accepted)} clicks accepted, 0 lost, 0 overcounted;
${count(checked('answers'))} responses of the api checked against the accepted clicks, ${count(checked('wrong'))} wrong.`
    : `**${problems.length} checks failed:**\n\n${list(problems)}`
}

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
- slowest: the slowest response of an ingest.

Clients send single clicks and batches. Most retry with the same ids until they are accepted; some give up.

${table(
  documentColumns.map(({ title, align }) => ({ title, left: align === 'left' })),
  rows.map((row) => documentColumns.map(({ cell }) => cell(row))),
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
