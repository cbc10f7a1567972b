import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ProcessIdentity, sendSignal, waitUntilGone } from '@clicktally/local/processes/process-identity.ts'
import { until } from '@clicktally/testing/until.ts'

interface Addresses {
  readonly baseUrl: string
  readonly postgresPort: number
  readonly amqpPort: number
}

interface Registered extends ProcessIdentity {
  readonly name: string
}

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')

/** The system of an earlier version, as `npm start` runs it in a clone of its own. */
export class EarlierSystem {
  readonly dir: string
  readonly #launcher: ChildProcess

  private constructor(dir: string, launcher: ChildProcess) {
    this.dir = dir
    this.#launcher = launcher
  }

  /** @param dir must not exist @param port of nginx */
  static async start(dir: string, commit: string, port: number): Promise<EarlierSystem> {
    await run('git', ['clone', '--quiet', '--no-checkout', root, dir])
    await run('git', ['-C', dir, 'checkout', '--quiet', '--detach', commit])
    // So that it need not download them again.
    await mkdir(join(dir, '.local'))
    for (const name of ['debian', 'tools']) {
      if (existsSync(join(root, '.local', name)))
        await cp(join(root, '.local', name), join(dir, '.local', name), { recursive: true })
    }
    const launcher = spawn('node', ['scripts/run.mjs', 'local/main.ts', '--port', String(port)], {
      cwd: dir,
      stdio: ['ignore', 'ignore', 'inherit'],
      // A group of its own: Ctrl-C must not reach it before this program has ended the load.
      detached: true,
    })
    const system = new EarlierSystem(dir, launcher)
    try {
      await until(() => existsSync(join(dir, '.local/system.json')), 'the earlier version to start', 200)
      return system
    } catch (error) {
      await system.stop()
      throw error
    }
  }

  async addresses(): Promise<Addresses> {
    return JSON.parse(await readFile(join(this.dir, '.local/system.json'), 'utf8')) as Addresses
  }

  get secretsDir(): string {
    return join(this.dir, '.local/secrets')
  }

  /** Ends these services gracefully, but not the servers and nginx. */
  async stopServices(names: RegExp): Promise<void> {
    // A launcher that is halted restarts nothing. Its group: perhaps it runs in a Node.js of its own, below this process.
    this.#signal('SIGSTOP')
    const path = join(this.dir, '.local/run/processes.json')
    const running = (JSON.parse(await readFile(path, 'utf8')) as Registered[]).filter(({ name }) => names.test(name))
    for (const each of running) sendSignal(each, 'SIGTERM')
    for (const each of running) {
      if (!(await waitUntilGone(each, 60_000))) throw new Error(`${each.name} did not end within a minute`)
    }
  }

  async stop(): Promise<void> {
    if (this.#launcher.exitCode !== null) return
    const ended = new Promise((resolve) => this.#launcher.once('close', resolve))
    this.#signal('SIGCONT')
    this.#launcher.kill('SIGTERM')
    await ended
  }

  /** To the launcher's group, in which none of its services are. */
  #signal(signal: NodeJS.Signals): void {
    if (this.#launcher.pid !== undefined) process.kill(-this.#launcher.pid, signal)
  }
}
