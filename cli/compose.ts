import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { constants } from 'node:os'
import type { CliContext } from './cli-context.ts'

/** How the command ended in the container where it was run instead. Everything has been said there. */
export class EndedInContainer extends Error {
  readonly exitCode: number

  constructor(exitCode: number) {
    super(`the command ran in a container and ended with ${exitCode}`)
    this.name = 'EndedInContainer'
    this.exitCode = exitCode
  }
}

/** Whether containers of this folder's compose file run now. False where there is no Docker. */
export async function composeIsRunning(dir: string): Promise<boolean> {
  const child = spawn('docker', ['compose', 'ps', '--status', 'running', '--quiet'], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 20_000,
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  return await new Promise((settle) => {
    child.once('error', () => settle(false))
    child.once('close', (code) => settle(code === 0 && output.trim() !== ''))
  })
}

/**
 * Runs the command again in a container of the service `cli`, which reaches what is closed to the outside.
 * @throws {EndedInContainer} always
 */
export async function runInContainer(dir: string, context: CliContext): Promise<never> {
  // This process waits for how the command ends there.
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
      // With a terminal Ctrl-C goes through it into the container. Without one Docker would take the signal for itself, and
      // leave the container running: so it is kept from Docker, and sent to the container.
      detached: !hasTerminal,
    },
  )
  interruption.addEventListener('abort', () => {
    if (hasTerminal && interruption.reason === 'SIGINT') return
    spawn('docker', ['kill', '--signal', String(interruption.reason), name], { stdio: 'ignore' })
      .once('error', () => {})
      // There is no container yet.
      .once('close', (code) => code !== 0 && child.kill())
  })
  const exitCode = await new Promise<number>((settle, fail) => {
    child.once('error', fail)
    child.once('close', (code, signal) => settle(code ?? 128 + (signal === null ? 1 : constants.signals[signal])))
  })
  throw new EndedInContainer(exitCode)
}
