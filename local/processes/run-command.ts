import { spawn } from 'node:child_process'
import { childEnvironment } from '../services/child-environment.ts'

export interface CommandOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** After this time the command is killed, and its code is 124. */
  withinMs: number
  signal?: AbortSignal | undefined
}

export interface CommandResult {
  /** The exit code; 127 if the command could not be started, 124 if it timed out. */
  code: number
  stdout: string
  /** Both streams in the order of arrival, for messages. */
  output: string
}

/** Runs a command to its end and collects its output. Throws only when aborted. */
export async function runCommand(command: string, args: string[], options: CommandOptions): Promise<CommandResult> {
  options.signal?.throwIfAborted()
  return await new Promise((resolve, reject) => {
    // In its own process group: Ctrl-C at the terminal reaches only the launcher, which then kills the command.
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? childEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    let stdout = ''
    let output = ''
    let timedOut = false
    const killAll = () => {
      try {
        if (child.pid) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has just ended.
      }
    }
    const timer = setTimeout(() => {
      timedOut = true
      killAll()
    }, options.withinMs)
    options.signal?.addEventListener('abort', killAll)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    const settle = (code: number) => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', killAll)
      if (options.signal?.aborted) reject(options.signal.reason)
      else resolve({ code: timedOut ? 124 : code, stdout, output })
    }
    child.once('error', (error) => {
      output += error.message
      settle(127)
    })
    child.once('close', (code) => settle(code ?? 1))
  })
}

/** The last lines of a text, indented, for the end of an error message. */
export function lastLines(text: string, count = 12): string {
  const lines = text.trimEnd().split('\n')
  return lines
    .slice(-count)
    .map((line) => `    ${line}`)
    .join('\n')
}
