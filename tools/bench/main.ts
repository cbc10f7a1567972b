import { mkdirSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cloneDir, localDir } from '@clicktally/local/files/local-folder.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { explain, Problem } from '@clicktally/local/problem.ts'
import { StatusLine } from '@clicktally/terminal/status-line.ts'
import { measurements } from './measurement-list.ts'
import { createCommand, type Options } from './options.ts'
import { benchmarksDocument, benchmarksJson } from './report/document.ts'
import { plotSvg } from './report/plot.ts'
import { readOutcomes, withRun } from './report/record.ts'
import { resultLine, targetResults } from './report/targets.ts'
import { type Outcome, outcomeLines, runSuite, sectionsOf, troubleOf } from './suite.ts'
import { BenchSystem } from './system/bench-system.ts'
import { readMachine } from './system/machine.ts'

const docsDir = join(cloneDir, 'docs')

/** Resolves with whether all figures are valid. */
async function main(options: Options): Promise<boolean> {
  const startedAtMs = performance.now()
  mkdirSync(localDir, { recursive: true })
  const dir = await makeScratchFolder('bench', localDir)
  const abort = new AbortController()
  let starting: Promise<BenchSystem> | undefined
  let progress = ''
  const status = new StatusLine({
    terminal: process.stdout.isTTY ? process.stdout : undefined,
    print: (line) => console.log(line),
    status: () => progress,
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // `on`, not `once`: a second signal would end this process but leave the servers running.
    process.on(signal, () => {
      status.print(`Stopping (${signal})`)
      abort.abort(new Problem(`stopped by ${signal}`))
    })
  }
  try {
    const outcomes = await runSuite({
      measurements: measurements.filter(({ name }) => options.only?.includes(name) ?? true),
      short: options.short,
      dir,
      signal: abort.signal,
      startSystem: () => {
        starting = BenchSystem.start({ dir, signal: abort.signal })
        return starting
      },
      onProgress: (text) => {
        progress = text
      },
      onOutcome: (outcome) => {
        for (const line of outcomeLines(outcome)) status.print(line)
      },
    })
    status.stop()
    console.log('\nTargets')
    for (const result of targetResults(sectionsOf(outcomes)))
      if (result.state !== 'not measured') console.log(resultLine(result))
    if (options.write) await writeDocuments(options, outcomes, await starting, performance.now() - startedAtMs)
    const trouble = troubleOf(outcomes)
    console.log(trouble.length === 0 ? '\nAll figures are valid.' : `\nFAILED:\n  ${trouble.join('\n  ')}`)
    return trouble.length === 0
  } finally {
    status.stop()
    const system = await starting?.catch(() => undefined)
    await system?.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

async function writeDocuments(
  options: Options,
  measured: readonly Outcome[],
  system: BenchSystem | undefined,
  tookMs: number,
): Promise<void> {
  const before = options.only === undefined ? [] : await readOutcomes(join(docsDir, 'benchmarks.json'))
  const outcomes = withRun(
    before,
    measured,
    measurements.map(({ name }) => name),
  )
  const plot = outcomes.flatMap(({ section }) => section?.plot ?? [])[0]
  const document = {
    ...{
      outcomes,
      tookMs,
      command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
      date: new Date(),
    },
    machine: await readMachine(system),
    plot: plot && 'benchmarks.svg',
  }
  await writeFile(join(docsDir, 'benchmarks.md'), benchmarksDocument(document))
  await writeFile(join(docsDir, 'benchmarks.json'), benchmarksJson(document))
  if (plot) await writeFile(join(docsDir, 'benchmarks.svg'), plotSvg(plot))
  console.log('\nWrote docs/benchmarks.md')
}

let succeeded = false
try {
  const options = createCommand(measurements.map(({ name }) => name))
    .parse()
    .opts<Options>()
  if (options.list) for (const { name, title } of measurements) console.log(`${name.padEnd(20)} ${title}`)
  succeeded = options.list || (await main(options))
} catch (error) {
  console.error(explain(error))
}
// Exit even if something is still open, such as a connection of a failed measurement.
process.exit(succeeded ? 0 : 1)
