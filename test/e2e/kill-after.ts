import { spawn } from 'node:child_process'

/** @returns a function that kills this process when it is called with the step */
export function killAfter(step: string | undefined): (name: string) => Promise<void> {
  return async (name) => {
    if (name !== step) return
    process.kill(process.pid, 'SIGKILL')
    // Nothing else happens until the signal arrives.
    await new Promise(() => {})
  }
}

/** Runs a program of ours to its end. @returns the signal or the code with which it ended */
export function runToEnd(path: string, env: Record<string, string>): Promise<NodeJS.Signals | number | null> {
  const child = spawn(process.execPath, [path], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code))
  })
}
