import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { explain, Problem } from '@clicktally/local/problem.ts'
import { StatusLine } from '@clicktally/terminal/status-line.ts'
import { faultsDocument } from './document.ts'
import type { FaultStage } from './fault-stage.ts'
import { headerLine, legend, rowLine } from './fault-table.ts'
import { Findings, seconds } from './findings.ts'
import { createCommand, isComplete, type Options, writesDocument } from './options.ts'
import { emptyRecord, readRecord, withRun, writeRecord } from './record.ts'
import { loadScenarios } from './scenario-list.ts'
import type { Scenario } from './stage.ts'
import { runSuite } from './suite.ts'
import type { StartOptions, SystemUnderTest } from './system-under-test.ts'
import { readCommit, readVersions } from './versions.ts'

/** A suite as a program. */
export interface SuiteProgram<System extends SystemUnderTest> {
  /** Such as `npm run test:faults`. */
  readonly command: string
  /** What it does and how long it takes, for `--help`. */
  readonly description: string
  /** The folder of its scenarios. */
  readonly scenarios: string
  /** What a full run writes, below the root of the repository; and beside it a record, `.json` instead of `.md`. */
  readonly documentPath: string
  readonly heading: string
  /** The sentences at the top of the document. */
  readonly introduction: string
  /** @param scenarios the numbers of those that will run */
  start(options: StartOptions, scenarios: readonly number[]): Promise<System>
}

const root = join(import.meta.dirname, '../..')
/** The table's header is repeated after this many rows. */
const rowsUnderHeader = 20

/** Runs the scenarios that the command line names, prints their rows, and exits the process. */
export async function runProgram<System extends SystemUnderTest>(program: SuiteProgram<System>): Promise<never> {
  let succeeded = false
  try {
    const { command, description, documentPath } = program
    const options = createCommand(command, description, documentPath).parse().opts<Options>()
    const scenarios = await chosenScenarios(program, options)
    if (options.list) for (const { number, title } of scenarios) console.log(`${String(number).padStart(2)}  ${title}`)
    succeeded = options.list || (await run(program, options, scenarios))
  } catch (error) {
    console.error(explain(error))
  }
  // Exit explicitly: otherwise Node may wait forever for connections that a fault has broken.
  process.exit(succeeded ? 0 : 1)
}

async function chosenScenarios<System extends SystemUnderTest>(
  { command, scenarios: folder }: SuiteProgram<System>,
  { only }: Options,
): Promise<Scenario<System>[]> {
  const scenarios = await loadScenarios<System>(folder)
  const unknown = only?.filter((number) => !scenarios.some((scenario) => scenario.number === number)) ?? []
  if (unknown.length > 0)
    throw new Problem(`Unknown scenario ${unknown.join(', ')}. To list all scenarios: ${command} -- --list`)
  return scenarios.filter(({ number }) => only?.includes(number) ?? true)
}

/** Resolves with whether every check passed. */
async function run<System extends SystemUnderTest>(
  program: SuiteProgram<System>,
  options: Options,
  scenarios: Scenario<System>[],
): Promise<boolean> {
  const startedAtMs = performance.now()
  const startedAt = new Date().toISOString()
  // Before something else changes files.
  const commit = await readCommit()
  const dir = await makeScratchFolder('faults')
  const abort = new AbortController()
  let system: System | undefined
  let stage: FaultStage<System> | undefined
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
    system = await program.start(
      { dir, onLine: () => {}, signal: abort.signal },
      scenarios.map(({ number }) => number),
    )
    const versions = await readVersions(system)
    status.print(`\n${headerLine()}`)
    let rows = 0
    const findings = new Findings()
    const { heading, introduction, documentPath } = program
    const recordPath = join(root, documentPath.replace(/\.md$/, '.json'))
    const before = await readRecord(recordPath)
    const run = { startedAt, commit, command: commandLine(program, options), versions }
    // After each row, so that a run that is aborted leaves what it has found. Until a complete one has ended, older rows are kept.
    const writeDocument = async (isEnd: boolean) => {
      if (!writesDocument(options)) return
      const kept = isEnd && isComplete(options) ? emptyRecord : before
      const record = withRun(kept, { ...run, tookMs: performance.now() - startedAtMs }, findings.list)
      await writeRecord(recordPath, record)
      await writeFile(join(root, documentPath), faultsDocument({ heading, introduction, record }))
    }
    await runSuite({
      system,
      findings,
      scenarios,
      short: options.short,
      rows: options.row,
      onStage: (made) => {
        stage = made
      },
      onRow: (row) => {
        if (rows > 0 && rows % rowsUnderHeader === 0) status.print(headerLine())
        rows += 1
        status.print(rowLine(row))
        for (const problem of row.problems) status.print(`     ✗ ${problem}`)
        void writeDocument(false)
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
    await writeDocument(true)
    if (writesDocument(options)) console.log(`Wrote ${program.documentPath}`)
    const verdict = passed ? 'All checks passed.' : `FAILED:\n  ${findings.problems.join('\n  ')}`
    console.log(`\n${verdict}\n${rows} rows in ${seconds(tookMs)}`)
  } finally {
    status.stop()
    await system?.stop()
    await removeUnless(!passed, dir)
  }
  return passed
}

function commandLine({ command }: { readonly command: string }, { only, row, short, write }: Options): string {
  const chosen = [
    ...(only ? ['--only', only.join(',')] : []),
    ...(row ? ['--row', ...row.map((words) => `'${words}'`)] : []),
    ...(short ? ['--short'] : []),
    ...(write ? ['--write'] : []),
  ]
  return [command, ...(chosen.length > 0 ? ['--', ...chosen] : [])].join(' ')
}

async function removeUnless(keep: boolean, dir: string): Promise<void> {
  if (keep) console.log(`The logs and the data are kept in ${dir}`)
  else await rm(dir, { recursive: true, force: true })
}

function describe(stage: FaultStage<SystemUnderTest>, elapsedMs: number): string {
  const { doing, sent, accepted, counted } = stage.status
  const figure = (value: number) => value.toLocaleString('en-US')
  return `  ${seconds(elapsedMs).padStart(8)}  ${doing}: ${figure(sent)} sent, ${figure(accepted)} accepted, ${figure(counted)} counted`
}
