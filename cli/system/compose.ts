import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { constants } from 'node:os'
import type { CliContext } from '../cli-context.ts'

/** The command ran in a container instead, which has printed everything. */
export class EndedInContainer extends Error {
  readonly exitCode: number

  constructor(exitCode: number) {
    super(`the command ran in a container and ended with ${exitCode}`)
    this.name = 'EndedInContainer'
    this.exitCode = exitCode
  }
}

/** Whether containers of this folder's compose file are running. False without Docker. */
export async function composeIsRunning(dir: string): Promise<boolean> {
  return (await outputOf(dir, ['ps', '--status', 'running', '--quiet'])).trim() !== ''
}

/**
 * Where compose publishes nginx for plain HTTP, as URLs: first for programs on this machine, with TLS too, then for everyone.
 * Empty if it does not.
 */
export async function publishedUrls(dir: string): Promise<string[]> {
  const answers = await Promise.all(['8081', '8080'].map((port) => outputOf(dir, ['port', 'nginx', port])))
  const addresses = answers.flatMap((answer) => /^\S+:\d+$/m.exec(answer) ?? [])
  return addresses.map((address) => `http://${address.replace(/^(0\.0\.0\.0|\[::\]):/, '127.0.0.1:')}`)
}

/** The operator's key, read in a container of the command line. Undefined if there is none. */
export async function operatorKeyInCompose(dir: string): Promise<string | undefined> {
  const run = ['--progress', 'quiet', 'run', '--rm', '--no-deps', '--no-TTY', '--entrypoint', 'cat']
  return (await outputOf(dir, [...run, 'cli', '/run/secrets/owner-key'])).trim() || undefined
}

/** What a command of compose writes to standard output; empty if it fails or cannot be started. */
async function outputOf(dir: string, args: readonly string[]): Promise<string> {
  const child = spawn('docker', ['compose', ...args], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 60_000,
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  return await new Promise((settle) => {
    child.once('error', () => settle(''))
    child.once('close', (code) => settle(code === 0 ? output : ''))
  })
}

/**
 * Runs the command again in a container of the service `cli`, which can reach the internal network.
 *
 * @throws {EndedInContainer} always
 */
export async function runInContainer(dir: string, context: CliContext): Promise<never> {
  // This process only waits for the exit code.
  const interruption = context.takeInterruption()
  const hasTerminal = context.ask !== undefined && process.stdout.isTTY
  const name = `clicktally-cli-${randomUUID()}`
  const run = ['run', '--rm', '--name', name, '--build', '--quiet-build', '--no-deps']
  const child = spawn(
    'docker',
    ['compose', '--progress', 'quiet', ...run, ...(hasTerminal ? [] : ['--no-TTY']), 'cli', ...context.args],
    {
      cwd: dir,
      stdio: [hasTerminal ? 'inherit' : 'ignore', 'inherit', 'inherit'],
      // With a terminal, Ctrl-C reaches the container through it. Without one, Docker would handle the signal itself and leave
      // the container running, so the signal is sent to the container instead.
      detached: !hasTerminal,
    },
  )
  interruption.addEventListener('abort', () => {
    if (hasTerminal && interruption.reason === 'SIGINT') return
    spawn('docker', ['kill', '--signal', String(interruption.reason), name], { stdio: 'ignore' })
      .once('error', () => {})
      // The container does not exist yet.
      .once('close', (code) => code !== 0 && child.kill())
  })
  const exitCode = await new Promise<number>((settle, fail) => {
    child.once('error', fail)
    child.once('close', (code, signal) => settle(code ?? 128 + (signal === null ? 1 : constants.signals[signal])))
  })
  throw new EndedInContainer(exitCode)
}
