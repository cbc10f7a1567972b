import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { localDir } from '@clicktally/local/files/local-folder.ts'
import { freePort } from '@clicktally/local/ports.ts'
import { childEnvironment } from '@clicktally/local/services/child-environment.ts'
import type { ServiceName } from '@clicktally/system/parts.ts'
import { until } from '@clicktally/testing/until.ts'
import { onTestFinished } from 'vitest'

const root = join(import.meta.dirname, '../..')
/** For the message if it ends. */
const maxOutputChars = 10_000

/** One of our services as a process of its own. */
export interface Service {
  /** http://, without a slash at the end. */
  readonly url: string
  /** The status of its /readyz; undefined if it does not answer. */
  readiness(): Promise<number | undefined>
  untilReady(): Promise<void>
  /** Kills it. */
  kill(): Promise<void>
}

/** Starts a service, and kills it after the test. Resolves at once: untilReady() waits. */
export async function startService(name: ServiceName, variables: Record<string, string>): Promise<Service> {
  const port = await freePort()
  const env = childEnvironment({
    ...{ ...variables, HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: 'warn' },
    // As in npm start: without it a start takes several times as much CPU.
    NODE_COMPILE_CACHE: join(localDir, 'compile-cache'),
  })
  const child: ChildProcess = spawn(process.execPath, [`services/${name}/main.ts`], {
    ...{ cwd: root, env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output = (output + chunk).slice(-maxOutputChars)
    })
  }
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
  // Gracefully, which writes the compile cache too. A service ends itself by force after 25 s at most.
  onTestFinished(() => end('SIGTERM'))
  const url = `http://127.0.0.1:${port}`
  const readiness = async () => {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${output}`)
    return await fetch(`${url}/readyz`).then(
      ({ status }) => status,
      () => undefined,
    )
  }
  return {
    url,
    kill: () => end('SIGKILL'),
    readiness,
    async untilReady() {
      try {
        await until(async () => (await readiness()) === 200, `${name} to be ready`, 100)
      } catch (cause) {
        throw new Error(`${(cause as Error).message}. Its output: ${output}`, { cause })
      }
    },
  }
}
