// A rolling upgrade under load: an earlier version runs, the present one joins it, and takes over. `npm run test:upgrade -- --from <commit>`

import { cp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type PacedResult, sendPaced } from '@clicktally/load/paced-sender.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { freePort } from '@clicktally/local/ports.ts'
import { explain } from '@clicktally/local/problem.ts'
import { LaunchLevels } from '@clicktally/local/services/launch-levels.ts'
import { type RunningService, startServices } from '@clicktally/local/services/service-launch.ts'
import { ensureSecrets } from '@clicktally/secrets/secrets.ts'
import { until } from '@clicktally/testing/until.ts'
import { Command } from 'commander'
import { EarlierSystem } from './earlier-system.ts'

interface Options {
  readonly from: string
  readonly seconds: number
  readonly rate: number
}

interface Target {
  readonly name: string
  readonly url: string
}

const clicksPerRequest = 10

/** Resolves with whether every check passed. */
async function main({ from, seconds, rate }: Options): Promise<boolean> {
  const dir = await makeScratchFolder('upgrade')
  const levels = new LaunchLevels()
  let earlier: EarlierSystem | undefined
  try {
    say(`Starting ${from} in ${dir}`)
    const system = await EarlierSystem.start(join(dir, 'earlier'), from, await freePort())
    earlier = system
    const { baseUrl, postgresPort, amqpPort } = await system.addresses()
    const key = (await readFile(join(system.secretsDir, 'operator/owner-key'), 'utf8')).trim()
    const old: Target = { name: 'earlier', url: baseUrl }
    const phases: { name: string; target: string; result: PacedResult }[] = []
    const load = async (name: string, targets: readonly Target[], act: () => Promise<unknown>) => {
      let isOver = false
      const sent = targets.map(async (target) => {
        while (!isOver) {
          const pace = { requestsPerSecond: rate / targets.length, durationMs: 2_000, clicksPerRequest }
          const seed = 1 + phases.length
          phases.push({
            name,
            target: target.name,
            result: await sendPaced({ ...pace, url: target.url, key, seed, signal }),
          })
        }
      })
      try {
        await act()
      } finally {
        isOver = true
        await Promise.all(sent)
      }
      say(`${name}: done`)
    }
    const { signal } = new AbortController()
    const forSomeTime = () => new Promise((resolve) => setTimeout(resolve, seconds * 1_000))

    await load('the earlier version alone', [old], forSomeTime)
    const services = new Map<string, RunningService>()
    const secretsDir = join(dir, 'secrets')
    await load('migrating, and starting the present version beside it', [old], async () => {
      await cp(system.secretsDir, secretsDir, { recursive: true })
      await ensureSecrets(secretsDir)
      await startServices({
        ...{ serverPorts: { postgres: postgresPort, rabbitmq: amqpPort }, instances: { ingest: 1, processor: 1 } },
        ...{ variables: {}, between: ({ port }) => port, secretsDir, levels, services },
        logPath: (name) => join(dir, 'logs', `${name}.log`),
        supervision: { onLine: () => {} },
      })
      // Before the present ingest is sent to: its messages may be of a type that only the present processors read.
      await system.stopServices(/^processor/)
    })
    const portOf = (name: string) => services.get(name)?.port
    const present: Target = { name: 'present', url: `http://127.0.0.1:${portOf('ingest-1')}` }
    await load('both side by side', [old, present], forSomeTime)
    await load('the present version alone, while the earlier one stops', [present], async () => {
      await system.stopServices(/^(ingest|processor|api|auth)/)
      await forSomeTime()
    })

    const accepted = phases.reduce((sum, { result }) => sum + result.acceptedClicks, 0)
    const api = async (path: string) =>
      (await (
        await fetch(`http://127.0.0.1:${portOf('api')}${path}`, { headers: { authorization: `Bearer ${key}` } })
      ).json()) as Record<string, number | string>
    const counted = async () => {
      const { total = 0, bots = 0 } = await api('/v1/counts')
      return Number(total) + Number(bots)
    }
    const isSettled = async () => (await counted()) >= accepted || Number((await api('/v1/balance')).dead) > 0
    await until(isSettled, `${accepted} clicks to be counted`, 200)
    const balance = await api('/v1/balance')
    const count = await counted()
    say('')
    say('| while | sent to | requests | answered 202 | others | slowest 1 %, ms |')
    say('|---|---|---:|---:|---:|---:|')
    let refused = 0
    for (const [line, parts] of Map.groupBy(phases, ({ name, target }) => `${name} | ${target}`)) {
      const results = parts.map(({ result }) => result)
      const answers = results.flatMap((result) => Object.entries(result.answers))
      const ok = sumOf(answers.filter(([status]) => status === '202').map(([, count]) => count))
      const others = sumOf(answers.map(([, count]) => count)) - ok + sumOf(results.map(({ unsent }) => unsent))
      refused += others
      const latencies = results.flatMap(({ latenciesMs }) => [...latenciesMs]).sort((one, other) => one - other)
      const slow = latencies.at(Math.floor(0.99 * latencies.length)) ?? 0
      say(`| ${line} | ${ok + others} | ${ok} | ${others} | ${slow.toFixed(0)} |`)
    }
    say('')
    say(
      `${accepted} clicks accepted, ${count} counted, ${refused} requests refused. Balance: ${JSON.stringify(balance)}`,
    )
    return refused === 0 && count === accepted && balance.inFlight === 0 && balance.dead === 0
  } finally {
    await levels.stopAll(() => {})
    await earlier?.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0)
}

function say(line: string): void {
  console.log(line)
}

const command = new Command('npm run test:upgrade --')
  .requiredOption('--from <commit>', 'the earlier version')
  .option('--seconds <number>', 'duration of each phase', Number, 20)
  .option('--rate <number>', `requests per second, of ${clicksPerRequest} clicks each`, Number, 50)
try {
  if (!(await main(command.parse().opts<Options>()))) process.exitCode = 1
} catch (error) {
  console.error(explain(error))
  process.exitCode = 1
}
