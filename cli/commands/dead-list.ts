import type { Tables } from '@clicktally/database/tables.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import { type Command, InvalidArgumentError } from 'commander'
import type { Kysely } from 'kysely'
import type { CliContext } from '../cli-context.ts'
import { withDatabase } from '../database.ts'
import { jsonLine } from '../json-line.ts'
import { describeContent, firstLineBytes, firstTarget } from '../letter-content.ts'
import { addFilterOptions, type FilterOptions, filterFrom } from '../letter-options.ts'
import { describeTotals } from '../letter-totals.ts'
import { formatMoment } from '../moment.ts'
import { type DeadLetter, deadLetters } from '../queries/dead-letters.ts'
import { letterTotals } from '../queries/letter-totals.ts'
import type { LetterFilter } from '../queries/matching-letters.ts'
import { findSystem } from '../system-access.ts'

interface Options extends FilterOptions {
  readonly limit: number
  readonly all?: true
  readonly json?: true
}

const defaultLimit = 50
const maxLimit = 1_000_000
/** Read at once: with the beginnings of their contents at most 4 MB. */
const pageLetters = 100
/** More is for --json: a table is held as a whole. */
const maxTableRows = 10_000

export function registerDeadList(dead: Command, context: CliContext): void {
  addFilterOptions(dead.command('list'))
    .description('lists dead letters that wait for a person, the newest first, and how many there are of each reason')
    .option('--limit <n>', `at most so many, 1 to ${formatCount(maxLimit)}`, limitOption, defaultLimit)
    .option('--all', 'those that were replayed, discarded or counted later too')
    .option('--json', 'one JSON object a line, for scripts')
    .action(async (options: Options) => {
      const { databaseUrl } = await findSystem(context, ['databaseUrl'])
      const filter = { ...filterFrom(options), ...(options.all ? {} : { open: true }) }
      await withDatabase(databaseUrl, (db) =>
        options.json ? printJson(context, db, filter, options.limit) : printTable(context, db, filter, options),
      )
    })
}

function limitOption(text: string): number {
  const limit = /^\d{1,7}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > maxLimit) throw new InvalidArgumentError(`Give a whole number from 1 to ${maxLimit}.`)
  return limit
}

async function* pages(db: Kysely<Tables>, filter: LetterFilter, limit: number): AsyncGenerator<DeadLetter[]> {
  let beforeId: number | undefined
  for (let left = limit; left > 0; ) {
    const page = await deadLetters(db, filter, Math.min(left, pageLetters), firstLineBytes, beforeId)
    if (page.length > 0) yield page
    if (page.length < pageLetters) return
    left -= page.length
    beforeId = page.at(-1)?.id
  }
}

async function printJson(context: CliContext, db: Kysely<Tables>, filter: LetterFilter, limit: number): Promise<void> {
  for await (const page of pages(db, filter, limit)) {
    for (const letter of page) context.print(jsonLine(asJson(letter)))
    await context.printed()
  }
}

/** A letter without its content, as scripts see it. */
export function asJson(letter: DeadLetter): object {
  return {
    id: letter.id,
    diedAt: letter.died_at.toISOString(),
    reason: letter.reason,
    detail: letter.detail,
    clicks: letter.clicks,
    clickIds: letter.click_ids,
    target: firstTarget(letter.content) ?? null,
    type: letter.type,
    bytes: letter.bytes,
    producer: letter.producer,
    sequence: letter.sequence,
    requestId: letter.request_id,
    resolution: letter.resolution,
    resolvedAt: letter.resolved_at?.toISOString() ?? null,
  }
}

async function printTable(
  context: CliContext,
  db: Kysely<Tables>,
  filter: LetterFilter,
  { limit, all }: Options,
): Promise<void> {
  const rows: string[][] = []
  for await (const page of pages(db, filter, Math.min(limit, maxTableRows))) {
    for (const letter of page) rows.push(cells(letter, all === true))
  }
  const { totals, letters, clicks } = await letterTotals(db, filter)
  if (rows.length === 0) {
    context.print(all ? 'There are no dead letters of that kind.' : 'No dead letters of that kind wait for anybody.')
    return
  }
  const columns: Column[] = [
    { title: 'id', align: 'right' },
    { title: 'died at', align: 'left' },
    { title: 'reason', align: 'left' },
    ...(all ? [{ title: 'since then', align: 'left' } as const] : []),
    { title: 'clicks', align: 'right' },
    { title: 'target or first bytes', align: 'left', flexible: true },
    { title: 'detail', align: 'left', flexible: true },
  ]
  for (const line of renderTable(columns, rows)) context.print(line)
  context.print('')
  if (rows.length < letters)
    context.print(`The newest ${formatCount(rows.length)} of ${formatCount(letters)} (--limit).`)
  context.print(describeTotals(letters, clicks, totals))
}

function cells(letter: DeadLetter, withResolution: boolean): string[] {
  return [
    String(letter.id),
    formatMoment(letter.died_at),
    letter.reason,
    ...(withResolution ? [letter.resolution ?? 'waits'] : []),
    formatCount(letter.clicks),
    letter.resolution === 'discarded' ? '(discarded)' : describeContent(letter.content, letter.type),
    letter.detail,
  ]
}
