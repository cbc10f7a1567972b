// Runs the whole system for hours at a constant load, while months pass in minutes: partitions are made, packed, archived and dropped
// all the time. Memory, disk, connections and dead rows must not grow with it. `npm run soak -- --minutes 120`

import { execFile } from 'node:child_process'
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { readCommit } from '@clicktally/faults/versions.ts'
import { sendPaced } from '@clicktally/load/paced-sender.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { explain } from '@clicktally/local/problem.ts'
import { nginxForLoadTests } from '@clicktally/local/servers/nginx-settings.ts'
import { startSystem } from '@clicktally/local/system.ts'
import { residentMemory } from '@clicktally/processes/resident-memory.ts'
import { wholeNumber } from '@clicktally/terminal/option-values.ts'
import { until } from '@clicktally/testing/until.ts'
import { Command } from 'commander'
import { Client } from 'pg'
import { type SoakResult, soakDocument } from './document.ts'
import { PastMonths } from './past-months.ts'
import { plot, type Sample } from './plot.ts'

interface Options {
  readonly minutes: number
  readonly rate: number
  readonly write: boolean
}

const run = promisify(execFile)
const cli = join(import.meta.dirname, '../../cli/main.ts')
const docs = join(import.meta.dirname, '../../docs')
const monthEveryMs = 60_000
const clicksPerMonth = 2_000
const clicksPerRequest = 10
const sampleEveryMs = 10_000
const readEveryMs = 500

/** Resolves with whether nothing is lost or counted twice, and no answer was wrong. A refused request has lost nothing. */
async function main({ minutes, rate, write }: Options): Promise<boolean> {
  const dir = await makeScratchFolder('soak')
  const archive = join(dir, 'archive')
  await mkdir(archive)
  // Services may run as another user than the launcher.
  await chmod(archive, 0o777)
  const variables = { ARCHIVE_URL: `file://${archive}`, JANITOR_EVERY: '1m' }
  const system = await startSystem({
    ...{ dir, port: 0, ingests: 1, processors: 1, variables, nginx: nginxForLoadTests },
    onLine: (line) => console.log(line),
  })
  const owner = new Client({ connectionString: system.postgresUrl })
  try {
    await owner.connect()
    const past = new PastMonths(system.baseUrl, system.ownerKey, owner)
    const endsAtMs = Date.now() + minutes * 60_000
    const samples: Sample[] = []
    let accepted = 0
    let refused = 0
    const load = async () => {
      while (Date.now() < endsAtMs) {
        const pace = { requestsPerSecond: rate, durationMs: 5_000, clicksPerRequest, seed: samples.length + 1 }
        const signal = new AbortController().signal
        const result = await sendPaced({ ...pace, url: system.baseUrl, key: system.ownerKey, signal })
        accepted += result.acceptedClicks
        for (const [status, count] of Object.entries(result.answers)) if (status !== '202') refused += count
      }
    }
    let answers = 0
    const wrong: string[] = []
    const read = async () => {
      for (; Date.now() < endsAtMs; answers += 1) {
        await sleep(readEveryMs)
        const finding = past.months > 0 ? await past.wrongCounts(answers % past.months, clicksPerMonth) : undefined
        if (finding !== undefined) wrong.push(finding)
        if (finding !== undefined) console.log(`wrong: ${finding}`)
      }
    }
    const passMonths = async () => {
      for (let nextMs = Date.now(); nextMs < endsAtMs; nextMs += monthEveryMs) {
        await sleep(Math.max(0, nextMs - Date.now()))
        await past.next(clicksPerMonth)
      }
    }
    const watch = async () => {
      while (Date.now() < endsAtMs) {
        await sleep(sampleEveryMs)
        samples.push(await sample())
        const { minute, ...values } = samples.at(-1) as Sample
        console.log(`${minute.toFixed(1)} min  ${JSON.stringify(values)}`)
      }
    }
    const startedAtMs = Date.now()
    const sample = async (): Promise<Sample> => {
      const memory = await Promise.all(
        ['ingest-1', 'processor-1', 'api', 'auth', 'janitor'].map((name) =>
          residentMemory(system.services.get(name)?.program.pid),
        ),
      )
      const { rows } = await owner.query<Record<string, string>>(`
        select (pg_database_size(current_database()) - live.size) / 1048576 as database_without_live_clicks_mb,
          live.size / 1048576 as live_clicks_mb,
          (select count(*) from pg_stat_activity where datname = current_database()) as connections,
          (select sum(n_dead_tup) from pg_stat_user_tables) as dead_rows,
          (select count(*) from pg_inherits where inhparent = 'clicks'::regclass) as partitions,
          (select coalesce(sum(clicks), 0) from archives where cleared_at is not null) as archived_clicks
        from (
          select coalesce(sum(pg_total_relation_size(inhrelid)), 0) as size from pg_inherits join pg_class on oid = inhrelid
          where inhparent = 'clicks'::regclass and relname >= to_char(now() - interval '2 days', '"clicks_"YYYYMMDD')
        ) as live`)
      return {
        minute: (Date.now() - startedAtMs) / 60_000,
        memory_mb: Math.round(memory.reduce((sum: number, bytes) => sum + (bytes ?? 0), 0) / 1_048_576),
        ...Object.fromEntries(Object.entries(rows[0] ?? {}).map(([name, value]) => [name, Number(value)])),
      }
    }
    await Promise.all([load(), passMonths(), read(), watch()])

    const all = accepted + past.accepted
    const counted = async () => {
      const { rows } = await owner.query<{ sum: string }>(
        `select (select coalesce(sum(total + bots), 0) from minute_counters where target = '')
           + (select coalesce(sum(total + bots), 0) from packed_minutes where target = '')
           + (select coalesce(sum(total + bots), 0) from counter_deltas where target = '') as sum`,
      )
      return Number(rows[0]?.sum)
    }
    await until(async () => (await counted()) >= all, `${all} clicks to be counted`, 500)
    const env = { CLICKTALLY_DATABASE_URL: system.postgresUrl, HOME: dir, ...variables }
    const checks = await Promise.all(
      [['verify'], ['archive', 'verify']].map(
        async (args) => (await run(process.execPath, [cli, ...args], { env })).stdout,
      ),
    )
    for (const text of checks) console.log(text.trim())
    const { rows: letters } = await owner.query<{ dead: string }>('select count(*) as dead from dead_letters')
    const dead = Number(letters[0]?.dead)
    const result: SoakResult = {
      ...{ when: await whenStarted(startedAtMs), minutes, clicksPerSecond: rate * clicksPerRequest },
      ...{ accepted: all, counted: await counted(), refused, dead, months: past.months },
      ...{ archived: samples.at(-1)?.archived_clicks ?? 0, answers, wrong: wrong.length, samples },
    }
    const { samples: _, ...figures } = result
    console.log(JSON.stringify(figures))
    if (write) {
      await writeFile(join(docs, 'soak.md'), soakDocument(result))
      await writeFile(join(docs, 'soak.svg'), plot(samples))
    }
    // A request without a 202, such as one that timed out, may have been accepted.
    const isExact = result.counted >= all && result.counted <= all + refused * clicksPerRequest
    return isExact && dead === 0 && wrong.length === 0 && checks[0]?.includes('no difference') === true
  } finally {
    await owner.end()
    await system.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

/** Such as `2026-11-29 19:26, 78ee143`. */
async function whenStarted(startedAtMs: number): Promise<string> {
  const time = new Date(startedAtMs).toISOString().slice(0, 16).replace('T', ' ')
  return `${time}, ${await readCommit()}`
}

const command = new Command('npm run soak --')
  .description('Runs the whole system at a constant load while months pass in minutes.')
  .option('--minutes <number>', 'how long', wholeNumber(1, 10_000), 120)
  .option('--rate <number>', 'requests per second, of 10 clicks each', wholeNumber(1, 10_000), 50)
  .option('--write', 'writes docs/soak.md and its plot', false)
try {
  if (!(await main(command.parse().opts<Options>()))) process.exitCode = 1
} catch (error) {
  console.error(explain(error))
  process.exitCode = 1
}
