import { join } from 'node:path'
import { renderTable } from '@clicktally/terminal/table.ts'
import type { Command } from 'commander'
import type { CliContext } from '../cli-context.ts'
import { usageError } from '../cli-error.ts'
import { checkBroker } from '../doctor/broker-checks.ts'
import { checkCertificate } from '../doctor/certificate-checks.ts'
import { checkClocks } from '../doctor/clock-checks.ts'
import { checkCounting } from '../doctor/counting-checks.ts'
import { checkDatabase } from '../doctor/database-checks.ts'
import { type Finding, findings } from '../doctor/finding.ts'
import { checkJanitor } from '../doctor/janitor-checks.ts'
import { checkKeys } from '../doctor/key-checks.ts'
import { checkServices } from '../doctor/service-checks.ts'
import { checkWebhooks } from '../doctor/webhook-checks.ts'
import { jsonLine } from '../json-line.ts'
import { withDatabase } from '../system/database.ts'
import { findServer } from '../system/http-access.ts'
import { findSystem } from '../system/system-access.ts'

interface Options {
  readonly json?: true
  readonly all?: true
  readonly url?: string
}

const help = `
Checks whether nginx, ingest, api and auth answer, the freshness of counts, the database and its maintenance, RabbitMQ's nodes and
queues, clocks, the janitor, webhooks and keys, and with --url the certificate. Changes nothing.

Services are asked over HTTP at CLICKTALLY_URL, with the key in CLICKTALLY_KEY; for the system that runs in this folder both are known.

Exit code 1: there is a problem, or something could not be checked. Notices do not change the exit code.`

/** Where an operator's secret files are: of the local run, and in the container of the command line. */
const secretsDirs = [join(import.meta.dirname, '../../.local/secrets/operator'), '/run/secrets']

export function registerDoctor(program: Command, context: CliContext): void {
  program
    .command('doctor')
    .description('checks a running system and says what to do')
    .option('--all', 'also show what is as it should be')
    .option('--url <url>', 'https:// address whose certificate is checked too')
    .option('--json', 'print a JSON object for each check')
    .addHelpText('after', help)
    .action(async ({ json, all, url }: Options) => {
      const certificateUrl = url === undefined ? undefined : httpsUrl(url)
      const found = await examine(context, certificateUrl)
      const shown = json || all ? found : found.filter(({ state }) => state !== 'ok')
      if (json) for (const each of shown) context.print(jsonLine({ ...each }))
      else for (const line of report(found, shown)) context.print(line)
      if (found.some(({ state }) => state === 'problem' || state === 'unknown')) context.exitCode = 1
    })
}

async function examine(context: CliContext, certificateUrl: URL | undefined): Promise<Finding[]> {
  const access = await findSystem(context, ['databaseUrl', 'brokerUrl', 'managementUrl'])
  const groups = await Promise.all([
    // Each group has connections of its own, and fails by itself.
    findings('services', async () => checkServices(await findServer(context))),
    findings('counting', () => withDatabase(access.databaseUrl, checkCounting)),
    findings('database', () => withDatabase(access.databaseUrl, checkDatabase)),
    findings('broker', () => checkBroker(access)),
    findings('clocks', () => withDatabase(access.databaseUrl, (db) => checkClocks(db, access.managementUrl))),
    findings('janitor', () => withDatabase(access.databaseUrl, checkJanitor)),
    findings('webhooks', () => withDatabase(access.databaseUrl, checkWebhooks)),
    findings('keys', () => withDatabase(access.databaseUrl, (db) => checkKeys(db, secretsDirs))),
    ...(certificateUrl === undefined ? [] : [findings('certificate', () => checkCertificate(certificateUrl))]),
  ])
  return groups.flat()
}

function report(found: readonly Finding[], shown: readonly Finding[]): string[] {
  const rows = shown.map(({ state, check, found: text }) => [state, check, text])
  const table = renderTable(
    [
      { title: 'state', align: 'left' },
      { title: 'check', align: 'left' },
      { title: 'found', align: 'left', flexible: true },
    ],
    rows,
  )
  const advice = shown.flatMap(({ check, advice: text }) => (text === undefined ? [] : [`${check}: ${text}`]))
  const count = (state: Finding['state']) => found.filter((each) => each.state === state).length
  const sum = `${found.length} checks: ${count('problem')} problems, ${count('notice')} notices, ${count('unknown')} unknown`
  return [...(rows.length > 0 ? [...table, ''] : []), ...advice, ...(advice.length > 0 ? [''] : []), sum]
}

function httpsUrl(text: string): URL {
  const url = URL.parse(text)
  if (url?.protocol !== 'https:') throw usageError(`--url ${text}: give an address as in https://counts.example.org`)
  return url
}
