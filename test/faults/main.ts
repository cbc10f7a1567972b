import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { explain, Problem } from '@clicktally/local/problem.ts'
import { StatusLine } from '@clicktally/terminal/status-line.ts'
import { faultsDocument } from './document.ts'
import type { FaultStage } from './fault-stage.ts'
import { FaultSystem } from './fault-system.ts'
import { headerLine, legend, rowLine } from './fault-table.ts'
import { seconds } from './findings.ts'
import { createCommand, type Options, writesDocument } from './options.ts'
import { loadScenarios } from './scenario-list.ts'
import type { Scenario } from './stage.ts'
import { runSuite } from './suite.ts'
import { readVersions } from './versions.ts'

const documentPath = join(import.meta.dirname, '../../docs/faults.md')
/** The table's header is repeated after this many rows. */
const rowsUnderHeader = 20

async function chosenScenarios({ only }: Options): Promise<Scenario[]> {
  const scenarios = await loadScenarios()
  const unknown = only?.filter((number) => !scenarios.some((scenario) => scenario.number === number)) ?? []
  if (unknown.length > 0)
    throw new Problem(`Unknown scenario ${unknown.join(', ')}. To list all scenarios: npm run test:faults -- --list`)
  return scenarios.filter(({ number }) => only?.includes(number) ?? true)
}

/** Resolves with whether every check passed. */
async function main(options: Options, scenarios: Scenario[]): Promise<boolean> {
  const startedAtMs = performance.now()
  const dir = await makeScratchFolder('faults')
  const abort = new AbortController()
  let system: FaultSystem | undefined
  let stage: FaultStage | undefined
  const status = new StatusLine({
    terminal: process.stdout.isTTY ? process.stdout : undefined,
    print: (line) => console.log(line),
    status: () => (stage === undefined ? '' : describe(stage, performance.now() - startedAtMs)),
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, async () => {
      status.stop()
      console.log(`Stopping (${signal})`)
      abort.abort(new Error('stopped'))
      await system?.stop()
      await removeUnless(stage?.hasProblems ?? false, dir)
      process.exit(130)
    })
  }
  status.print(`Starting a system in ${dir}`)
  let passed = false
  try {
    system = await FaultSystem.start({ dir, onLine: () => {}, signal: abort.signal })
    const versions = await readVersions(system)
    status.print(`\n${headerLine()}`)
    let rows = 0
    const findings = await runSuite({
      system,
      scenarios,
      short: options.short,
      onStage: (made) => {
        stage = made
      },
      onRow: (row) => {
        if (rows > 0 && rows % rowsUnderHeader === 0) status.print(headerLine())
        rows += 1
        status.print(rowLine(row))
        for (const problem of row.problems) status.print(`     ✗ ${problem}`)
      },
    })
    status.stop()
    passed = findings.problems.length === 0
    const tookMs = performance.now() - startedAtMs
    console.log(`\n${legend.join('\n')}\n`)
    for (const { name, limitMs, worstMs, times } of findings.promises) {
      const limit = limitMs === undefined ? '' : `, limit ${seconds(limitMs)}`
      console.log(`${name}: at most ${seconds(worstMs)} in ${times} measurements${limit}`)
    }
    for (const note of findings.notes) console.log(`Note: ${note}`)
    if (writesDocument(options)) {
      const chosen = [
        ...(options.only ? ['--only', options.only.join(',')] : []),
        ...(options.short ? ['--short'] : []),
      ]
      const command = ['npm run test:faults', ...(chosen.length > 0 ? ['--', ...chosen] : [])].join(' ')
      await writeFile(documentPath, faultsDocument({ findings, versions, command, date: new Date(), tookMs }))
      console.log('Wrote docs/faults.md')
    }
    const verdict = passed ? 'All checks passed.' : `FAILED:\n  ${findings.problems.join('\n  ')}`
    console.log(`\n${verdict}\n${rows} rows in ${seconds(tookMs)}`)
  } finally {
    status.stop()
    await system?.stop()
    await removeUnless(!passed, dir)
  }
  return passed
}

async function removeUnless(keep: boolean, dir: string): Promise<void> {
  if (keep) console.log(`The logs and the data are kept in ${dir}`)
  else await rm(dir, { recursive: true, force: true })
}

function describe(stage: FaultStage, elapsedMs: number): string {
  const { doing, sent, accepted, counted } = stage.status
  const figure = (value: number) => value.toLocaleString('en-US')
  return `  ${seconds(elapsedMs).padStart(8)}  ${doing}: ${figure(sent)} sent, ${figure(accepted)} accepted, ${figure(counted)} counted`
}

let succeeded = false
try {
  const options = createCommand().parse().opts<Options>()
  const scenarios = await chosenScenarios(options)
  if (options.list) for (const { number, title } of scenarios) console.log(`${String(number).padStart(2)}  ${title}`)
  succeeded = options.list || (await main(options, scenarios))
} catch (error) {
  console.error(explain(error))
}
// Exit explicitly: otherwise Node may wait forever for connections that a fault has broken.
process.exit(succeeded ? 0 : 1)
