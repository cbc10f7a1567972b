import type { AuditEntry } from '@clicktally/operations/owner/audit-operations.ts'
import { wholeNumber } from '@clicktally/terminal/option-values.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import type { Command } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'
import { formatMoment } from '../../moment.ts'

interface Options {
  readonly limit: number
  readonly json?: true
}

const maxLimit = 100_000
/** The most that one request returns. */
const maxPage = 1_000

const columns: Column[] = [
  { title: 'at', align: 'left' },
  { title: 'who', align: 'left', flexible: true },
  { title: 'from', align: 'left', flexible: true },
  { title: 'action', align: 'left' },
  { title: 'subject', align: 'left', flexible: true },
  { title: 'detail', align: 'left', flexible: true },
]

export function registerAudit(program: Command, context: CliContext): void {
  program
    .command('audit')
    .description('lists changes of projects, keys and users, and sign-ins; newest first; --json has long details whole')
    .option('--limit <n>', `maximum number, 1 to ${formatCount(maxLimit)}`, wholeNumber(1, maxLimit), 50)
    .option('--json', 'print one JSON object per line')
    .action(async ({ limit, json }: Options) => {
      const api = await HttpApi.find(context)
      const rows: string[][] = []
      for await (const entry of entries(api, limit)) {
        if (!json) rows.push(cells(entry))
        else {
          context.print(jsonLine(entry))
          await context.printed()
        }
      }
      if (!json) for (const line of renderTable(columns, rows)) context.print(line)
    })
}

async function* entries(api: HttpApi, limit: number): AsyncGenerator<AuditEntry> {
  let before: number | undefined
  for (let left = limit; left > 0; ) {
    const size = Math.min(left, maxPage)
    const { entries } = await api.call('listAudit', { querystring: { limit: size, before } })
    yield* entries
    if (entries.length < size) return
    left -= size
    before = entries.at(-1)?.id
  }
}

function cells({ at, actorName, address, action, subject, detail }: AuditEntry): string[] {
  const changes = Object.entries(detail).map(([name, value]) => {
    return `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`
  })
  return [formatMoment(new Date(at)), actorName, address ?? '', action, subject, changes.join(' ')]
}
