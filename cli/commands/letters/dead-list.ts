import type { Tables } from '@clicktally/database/tables.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import { type Command, InvalidArgumentError } from 'commander'
import type { Kysely } from 'kysely'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'
import { describeContent, firstLineBytes, firstTarget } from '../../letters/letter-content.ts'
import { addFilterOptions, type FilterOptions, filterFrom } from '../../letters/letter-options.ts'
import { describeTotals } from '../../letters/letter-totals.ts'
import { formatMoment } from '../../moment.ts'
import { type DeadLetter, deadLetters } from '../../queries/letters/dead-letters.ts'
import { letterTotals } from '../../queries/letters/letter-totals.ts'
import type { LetterFilter } from '../../queries/letters/matching-letters.ts'
import { withDatabase } from '../../system/database.ts'
import { findSystem } from '../../system/system-access.ts'

interface Options extends FilterOptions {
  readonly limit: number
  readonly all?: true
  readonly json?: true
}

const defaultLimit = 50
const maxLimit = 1_000_000
/** Rows per query: at most 4 MB with the first bytes of their contents. */
const pageLetters = 100
/** A table is built in memory; --json has no limit. */
const maxTableRows = 10_000

export function registerDeadList(dead: Command, context: CliContext): void {
  addFilterOptions(dead.command('list'))
    .description('lists unresolved dead letters, newest first, and their number by reason')
    .option('--limit <n>', `maximum number, 1 to ${formatCount(maxLimit)}`, limitOption, defaultLimit)
    .option('--all', 'include dead letters that were replayed, discarded or counted later')
    .option('--json', 'print one JSON object per line')
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
  if (limit < 1 || limit > maxLimit) throw new InvalidArgumentError(`Expected a whole number from 1 to ${maxLimit}.`)
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

/** The JSON form of a letter, without its content. */
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
    context.print(all ? 'There are no matching dead letters.' : 'There are no matching unresolved dead letters.')
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
