import type { Balance } from '@clicktally/database/balance.ts'
import type { AnswerTally } from './answer-watch.ts'
import { documentColumns } from './fault-table.ts'
import { type Findings, seconds } from './findings.ts'
import type { Versions } from './versions.ts'

export interface DocumentOptions {
  readonly findings: Findings
  readonly versions: Versions
  /** As it would be typed. */
  readonly command: string
  readonly date: Date
  readonly tookMs: number
}

/** docs/faults.md: nothing in it is written by hand. */
export function faultsDocument({ findings, versions, command, date, tookMs }: DocumentOptions): string {
  const { rows, promises, balances, notes, problems } = findings
  const repeated = rows.reduce((sum, { times }) => sum + times, 0)
  const accepted = rows.reduce((sum, row) => sum + row.accepted, 0)
  const told = (figure: keyof AnswerTally) =>
    rows.reduce((sum, { told: { counts, balance } }) => sum + counts[figure] + balance[figure], 0)
  return `# Faults

What happens to clicks when something breaks. This page is made by the fault suite itself: \`${command}\`. It starts the whole
system (two ingests, three processors, an api, nginx, RabbitMQ, PostgreSQL), sends clicks, breaks something for real, lets
everything come to rest, and asks the tables what became of each id that it sent.

${date.toISOString().slice(0, 10)}, ${Math.round(tookMs / 60_000)} minutes, ${versions.machine}, with the load and the
servers on it. Node ${versions.node}, PostgreSQL ${versions.postgres}, RabbitMQ ${versions.rabbitmq}.

${
  problems.length === 0
    ? `Broken ${count(repeated)} times in ${rows.length} ways; ${count(accepted)} clicks accepted, 0 lost, 0 overcounted;
${count(told('answers'))} answers of the api compared with what was accepted, ${count(told('lies'))} untrue.`
    : `**${problems.length} things did not hold:**\n\n${list(problems)}`
}

## Every fault

A: ids answered 202. E: ids stored. D: ids in the dead letters. R: the sum of the counters. Of each row's own targets:

- accepted = |A|; counted = |E|; lost = |A \\ (E ∪ D)|; unexp(ected) = |E ∪ D that was never sent|; over(counted) = |R − E|, each target's
  difference for itself, added up;
- no 202 = |E \\ A|: stored, though their 202 never arrived, as when the ingest was killed before it could answer and the client gave up;
- for: how long it was broken, and how often; dup(licates): clicks that were skipped, since their id was there already, by the balance; dead: by
  the balance;
- asOf lies, balance lies: the api was asked for counts and for the balance all the while. Each answer names the time up to which it is
  complete (\`meta.asOf\`); it is a lie where a click that was answered 202 before that time is not in it, or where that time is in the
  future. Lies / answers that were compared;
- accepts: from when the cause was gone until every ingest had accepted a click that was sent since, the worst of all repetitions; – where none
  ever stopped accepting;
- backlog: until everything that was accepted more than a second ago was counted;
- slowest: the longest that an answer of an ingest took.

Clients send single clicks and batches, mostly again with the same ids until they are accepted; some give up.

${table(
  documentColumns.map(({ title, align }) => ({ title, left: align === 'left' })),
  rows.map((row) => documentColumns.map(({ cell }) => cell(row))),
)}

## Promises for times

${table(
  [{ title: '', left: true }, { title: 'promised' }, { title: 'worst' }, { title: 'of' }],
  promises.map(({ name, limitMs, worstMs, times }) => [
    name,
    limitMs === undefined ? '–' : `≤ ${seconds(limitMs)}`,
    seconds(worstMs),
    count(times),
  ]),
)}

## The balance

accepted = counted + duplicates + dead + discarded + in flight, in clicks since the beginning.

${table(
  [{ title: '', left: true }, ...balanceColumns.map((title) => ({ title }))],
  balances.map(({ moment, balance }) => [moment, ...balanceColumns.map((name) => count(balance[name]))]),
)}

## Remarks

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
