import { join, relative, resolve } from 'node:path'
import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { describeFirstKeys, type FirstKeys } from '@clicktally/keys/first-keys.ts'
import { readConfig } from './config.ts'
import { takeFirstKeys } from './files/first-keys.ts'
import { localDir } from './files/local-folder.ts'
import { createCommand, type Options } from './options.ts'
import { explain } from './problem.ts'
import { type System, startSystem } from './system.ts'

const startedAt = Date.now()

/**
 * One Ctrl-C may arrive twice: from the terminal, and from npm, which forwards it. A second Ctrl-C of the user comes later.
 */
const sameCtrlCWithinMs = 700

function line(text: string): void {
  const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1).padStart(6)
  console.log(`${seconds} s  ${text}`)
}

/** @param access the first keys, to be shown in full; undefined if they were shown before */
function greeting({ baseUrl, logsDir, secretsDir, observability }: System, access: FirstKeys | undefined): string {
  const path = (to: string) => relative(process.cwd(), to)
  // Pasted here, the shell reads the key from its file.
  const bearer = (role: 'secret' | 'read') =>
    `-H "authorization: Bearer ${access?.[role] ?? `$(cat ${path(join(secretsDir, 'operator', `first-${role}-key`))})`}"`
  return `
Clicktally is up: ${baseUrl}
Dashboard:        ${baseUrl}/
API description:  ${baseUrl}/docs
${
  observability === undefined
    ? ''
    : `Metrics, alerts:  ${observability.prometheusUrl}/alerts
`
}${access === undefined ? '' : introduceKeys(access)}
Send a click:
  curl -X POST ${baseUrl}/v1/events ${bearer('secret')} -H 'content-type: application/json' -d '{"target":"signup-button"}'
Read the count:
  curl '${baseUrl}/v1/counts?target=signup-button' ${bearer('read')}

Logs: ${path(logsDir)}/   Ctrl-C stops everything. The data is kept for the next start.
`
}

function introduceKeys(keys: FirstKeys): string {
  return `
Keys of the project "default", shown only now (later: npm run clicktally -- keys show-first):
${describeFirstKeys(keys)
  .map((line) => `  ${line}`)
  .join('\n')}
`
}

async function main(options: Options): Promise<void> {
  const nginx = readConfigOrExit(readConfig, process.env)
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
  // A bug must not leave everything running without a launcher.
  process.on('uncaughtException', (error) => {
    console.error(explain(error))
    process.exitCode = 1
    void onSignal('an error')
  })
  // The terminal may be gone (SIGHUP) or the pipe closed while services are still being stopped.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})

  const { port, ingests, processors, observability, restore } = options
  try {
    system = await startSystem({
      dir: localDir,
      port,
      ingests,
      processors,
      nginx,
      restore: restore === undefined ? undefined : resolve(restore),
      observability: observability ? { onUsualPorts: true } : undefined,
      onLine: line,
      signal: abort.signal,
      killSignal: killAtOnce.signal,
    })
    console.log(greeting(system, takeFirstKeys(join(system.secretsDir, 'operator'))))
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
  await main(createCommand().parse().opts<Options>())
} catch (error) {
  console.error(explain(error))
  process.exitCode = 1
}
