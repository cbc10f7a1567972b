import { mkdirSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cloneDir, localDir } from '@clicktally/local/local-folder.ts'
import { explain, Problem } from '@clicktally/local/problem.ts'
import { makeScratchFolder } from '@clicktally/local/scratch-folder.ts'
import { StatusLine } from '@clicktally/terminal/status-line.ts'
import { StartedSystem } from './bench-system.ts'
import { benchmarksDocument, benchmarksJson } from './document.ts'
import { readMachine } from './machine.ts'
import { measurements } from './measurement-list.ts'
import { commandOf, helpText, type Options, parseOptions } from './options.ts'
import { plotSvg } from './plot.ts'
import { outcomeLines, standingLine, standingsOf } from './section-text.ts'
import { runSuite, type Standing, troubleOf } from './suite.ts'

const docsDir = join(cloneDir, 'docs')

/** Resolves with whether every figure counts. */
async function main(options: Options): Promise<boolean> {
  const startedAtMs = performance.now()
  mkdirSync(localDir, { recursive: true })
  const dir = await makeScratchFolder('bench', localDir)
  const abort = new AbortController()
  let starting: Promise<StartedSystem> | undefined
  let standing: Standing | undefined
  const status = new StatusLine({
    terminal: process.stdout.isTTY ? process.stdout : undefined,
    print: (line) => console.log(line),
    status: () => (standing === undefined ? '' : describe(standing, performance.now() - startedAtMs)),
  })
  const cleanUp = async () => {
    status.stop()
    const system = await starting?.catch(() => undefined)
    await system?.stop()
    await rm(dir, { recursive: true, force: true })
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // On, not once: a second one would end this process alone, and leave the servers.
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
        starting = StartedSystem.start({ dir, signal: abort.signal })
        return starting
      },
      onStanding: (now) => {
        standing = now
      },
      onOutcome: (outcome) => {
        for (const line of outcomeLines(outcome)) status.print(line)
      },
    })
    status.stop()
    const tookMs = performance.now() - startedAtMs
    console.log('\nTargets')
    for (const each of standingsOf(outcomes)) if (each.state !== 'not measured') console.log(standingLine(each))
    if (options.write) {
      const plot = outcomes.flatMap(({ section }) => section?.plot ?? [])[0]
      const plotFile = 'benchmarks.svg'
      const document = {
        outcomes,
        machine: await readMachine(await starting),
        command: commandOf(options),
        short: options.short,
        date: new Date(),
        tookMs,
        plot: plot && plotFile,
      }
      await writeFile(join(docsDir, 'benchmarks.md'), benchmarksDocument(document))
      await writeFile(join(docsDir, 'benchmarks.json'), benchmarksJson(document))
      if (plot) await writeFile(join(docsDir, plotFile), plotSvg(plot))
      console.log('\ndocs/benchmarks.md is written')
    }
    const trouble = troubleOf(outcomes)
    console.log(trouble.length === 0 ? '\nEvery figure counts.' : `\nFAILED:\n  ${trouble.join('\n  ')}`)
    return trouble.length === 0
  } finally {
    await cleanUp()
  }
}

function describe({ measurement, place, of, what, share }: Standing, elapsedMs: number): string {
  const elapsed = `${Math.round(elapsedMs / 1_000)} s`.padStart(6)
  return `${elapsed}  [${place}/${of}] ${measurement.title}: ${what} (${Math.round(share * 100)} %)`
}

let ended = 1
try {
  const names = measurements.map(({ name }) => name)
  const options = parseOptions(process.argv.slice(2), names)
  if (options.help) console.log(helpText)
  else if (options.list) for (const { name, title } of measurements) console.log(`${name.padEnd(20)} ${title}`)
  else ended = (await main(options)) ? 0 : 1
  if (options.help || options.list) ended = 0
} catch (error) {
  console.error(explain(error))
}
// Whatever is still open, such as a connection of a measurement that was broken off, must not keep the process.
process.exit(ended)
