import { relative } from 'node:path'
import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { readConfig } from './config.ts'
import { localDir } from './local-folder.ts'
import { helpText, type Options, parseOptions } from './options.ts'
import { explain } from './problem.ts'
import { type System, startSystem } from './system.ts'

const startedAt = Date.now()

/**
 * One Ctrl-C may arrive twice: from the terminal, and from npm, which hands it on. A person's second one comes later.
 */
const sameCtrlCWithinMs = 700

function line(text: string): void {
  const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1).padStart(6)
  console.log(`${seconds} s  ${text}`)
}

function greeting({ baseUrl, logsDir }: System): string {
  const logs = relative(process.cwd(), logsDir)
  return `
Clicktally is up: ${baseUrl}
API description:  ${baseUrl}/docs

Send a click:
  curl -X POST ${baseUrl}/v1/events -H 'content-type: application/json' -d '{"target":"signup-button"}'
Read the count:
  curl '${baseUrl}/v1/counts?target=signup-button'

Logs: ${logs}/   Ctrl-C stops everything; the data is there at the next start.
`
}

async function main(options: Options): Promise<void> {
  const door = readConfigOrExit(readConfig, process.env)
  const abort = new AbortController()
  const killAtOnce = new AbortController()
  let system: System | undefined
  let stoppingSince: number | undefined

  const onSignal = async (signal: NodeJS.Signals | 'an error') => {
    if (stoppingSince === undefined) {
      stoppingSince = Date.now()
      line(`Stopping (${signal})`)
      abort.abort(new Error('stopped'))
      await system?.stop()
      if (system) line('Everything is stopped')
    } else if (Date.now() - stoppingSince > sameCtrlCWithinMs && signal !== 'SIGHUP') {
      line('Stopping at once')
      killAtOnce.abort()
      process.exit(130)
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void onSignal(signal))
  // A mistake of ours must not leave everything running without a launcher.
  process.on('uncaughtException', (error) => {
    console.error(explain(error))
    process.exitCode = 1
    void onSignal('an error')
  })
  // The terminal may be gone (SIGHUP) or the pipe closed while there is still something to stop.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})

  const { port, ingests, processors } = options
  try {
    system = await startSystem({
      dir: localDir,
      port,
      ingests,
      processors,
      door,
      onLine: line,
      signal: abort.signal,
      killSignal: killAtOnce.signal,
    })
    console.log(greeting(system))
  } catch (error) {
    if (abort.signal.aborted) {
      line('Everything is stopped')
      return
    }
    console.error(`\n${explain(error)}`)
    process.exitCode = 1
  }
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) console.log(helpText)
  else await main(options)
} catch (error) {
  console.error(explain(error))
  process.exitCode = 1
}
