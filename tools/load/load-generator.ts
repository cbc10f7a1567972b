import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { localDir } from '@clicktally/local/files/local-folder.ts'
import { hasDebianPackages, unpackedPackage } from '@clicktally/local/installation/debian-packages.ts'
import { howToInstall, unpackedLibraries } from '@clicktally/local/installation/installation-advice.ts'
import { findPrograms } from '@clicktally/local/installation/program-search.ts'
import { Problem } from '@clicktally/local/problem.ts'
import { runCommand } from '@clicktally/local/processes/run-command.ts'
import { childEnvironment } from '@clicktally/local/services/child-environment.ts'
import { doneMark, type LoadContent, type LoadReport, loadScript, reportMark } from './load-script.ts'

export interface LoadOptions {
  /** Base URL of the server. */
  readonly url: string
  /** Sent with every request. Default: none. */
  readonly key?: string | undefined
  readonly content: LoadContent
  readonly connections: number
  /** Sending time before the measured time; excluded from `perSecond`, included in all other figures. */
  readonly warmUpMs: number
  readonly measuredMs: number
  /** How long to wait for responses after the last request. Default: 30,000. */
  readonly answersWithinMs?: number
  /** A folder for the script. */
  readonly dir: string
  readonly signal: AbortSignal
}

/** Numbers of requests, including the warm-up. */
export interface LoadResult {
  /** Rate of requests in the measured time; all of them were answered, apart from `failed` and `unanswered`. */
  readonly perSecond: number
  readonly sent: number
  /** Answered with a status below 400: by ingest, 202. */
  readonly succeeded: number
  readonly failed: number
  readonly unanswered: number
  /** Connections that could not be opened or that broke. */
  readonly broken: number
  /** CPU time of wrk. */
  readonly cpuSeconds: number
}

/** wrk takes a fraction of a second to load its script and to stop, on a quiet machine. */
const startWithinMs = 60_000
const maxLoadSeconds = 600

/** wrk with one thread and no pipelining: as many requests as the connections allow. */
export class LoadGenerator {
  readonly #binary: string
  readonly #env: Record<string, string>
  #scripts = 0

  private constructor(binary: string, env: Record<string, string>) {
    this.#binary = binary
    this.#env = childEnvironment(env) as Record<string, string>
  }

  /**
   * Finds wrk on PATH, or else, on Debian and Ubuntu, unpacks the distribution's package.
   *
   * @throws Problem that says what to install
   */
  static async find(signal?: AbortSignal): Promise<LoadGenerator> {
    const [found] = findPrograms('wrk')
    if (found !== undefined) return new LoadGenerator(found, {})
    if (!hasDebianPackages()) throw new Problem(howToInstall('wrk', 'wrk'))
    const root = await unpackedPackage({ package: 'wrk', dir: join(localDir, 'debian'), onLine: () => {}, signal })
    return new LoadGenerator(join(root, 'usr/bin/wrk'), unpackedLibraries(root))
  }

  /** Such as `wrk 4.1.0`. */
  async version(): Promise<string> {
    const { output } = await runCommand(this.#binary, ['-v'], { env: this.#env, withinMs: startWithinMs })
    return `wrk ${/wrk (?:debian\/)?([\d.]+)/.exec(output)?.[1] ?? 'of an unknown version'}`
  }

  async run(options: LoadOptions): Promise<LoadResult> {
    const { url, key, content, connections, warmUpMs, measuredMs, answersWithinMs = 30_000, dir, signal } = options
    this.#scripts += 1
    const script = join(dir, `load-${this.#scripts}.lua`)
    await writeFile(script, loadScript(content, { connections, warmUpMs, measuredMs }, key))
    const args = ['--threads', '1', '--connections', `${connections}`, '--timeout', '60s']
    const output = await this.#output(
      [...args, '--duration', `${maxLoadSeconds}s`, '--script', script, url],
      warmUpMs + measuredMs + answersWithinMs,
      signal,
    )
    const line = output.split('\n').find((each) => each.startsWith(reportMark))
    if (line === undefined) throw new Error(`wrk reported nothing: ${output.slice(-500)}`)
    const { sent, sentMeasured, answered, failed, broken, cpuSeconds } = JSON.parse(
      line.slice(reportMark.length),
    ) as LoadReport
    const perSecond = sentMeasured / (measuredMs / 1_000)
    return { perSecond, sent, succeeded: answered - failed, failed, unanswered: sent - answered, broken, cpuSeconds }
  }

  /** Interrupts wrk, which makes it report, once everything is answered, or at the latest this long after its first request. */
  async #output(args: string[], interruptAfterMs: number, signal: AbortSignal): Promise<string> {
    const child = spawn(this.#binary, args, {
      ...{ env: this.#env, stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' },
    })
    let output = ''
    const interrupt = () => child.kill('SIGINT')
    let timer: NodeJS.Timeout | undefined
    const hung = setTimeout(() => child.kill('SIGKILL'), interruptAfterMs + 2 * startWithinMs)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text
      timer ??= setTimeout(interrupt, interruptAfterMs)
      if (output.includes(doneMark)) interrupt()
    })
    try {
      await once(child, 'close')
      return output
    } finally {
      clearTimeout(timer)
      clearTimeout(hung)
    }
  }
}
