import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { childEnvironment } from '@clicktally/local/child-environment.ts'
import { hasDebianPackages, unpackedPackage } from '@clicktally/local/debian-packages.ts'
import { howToInstall, unpackedLibraries } from '@clicktally/local/installation-advice.ts'
import { localDir } from '@clicktally/local/local-folder.ts'
import { Problem } from '@clicktally/local/problem.ts'
import { findPrograms } from '@clicktally/local/program-search.ts'
import { endMark, type LoadContent, type LoadReport, loadScript, reportMark } from './load-script.ts'

export interface LoadOptions {
  /** The base URL of the server. */
  readonly url: string
  readonly content: LoadContent
  readonly connections: number
  /** Sent before the measuring begins, and not in `perSecond`; in all other figures it is. */
  readonly warmUpMs: number
  readonly measuredMs: number
  /** How long answers are waited for after the last request; when all are there, no longer. Default 30,000. */
  readonly answersWithinMs?: number
  /** A folder for the script. */
  readonly dir: string
  readonly signal: AbortSignal
}

/** In requests, from the first to the last, the warm-up included, where nothing else is said. */
export interface LoadResult {
  /** Sent after the warm-up, a second; every one of them was answered unless `failed` or `unanswered` say otherwise. */
  readonly perSecond: number
  readonly sent: number
  /** Answered with a status below 400: by ingest, 202. */
  readonly succeeded: number
  /** Answered with another one. */
  readonly failed: number
  /** Sent, and not answered before the end. */
  readonly unanswered: number
  /** Connections that could not be made, or broke. */
  readonly broken: number
  /** CPU seconds of the load generator itself. */
  readonly cpuSeconds: number
}

/** For a wrk that hangs: it loads its script, and ends when it is told to, in a fraction of a second on a quiet machine. */
const startWithinMs = 60_000
const longestLoadSeconds = 600

/** wrk: as many requests as the connections take, each connection waiting for its answer. No pipelining, one thread. */
export class LoadGenerator {
  readonly #binary: string
  readonly #env: Record<string, string>
  #scripts = 0

  private constructor(binary: string, env: Record<string, string>) {
    this.#binary = binary
    this.#env = env
  }

  /**
   * wrk from PATH, or else, on Debian and Ubuntu, the distribution's, unpacked.
   * @throws Problem that says what to install.
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
    // It tells its version where it also tells its usage, and ends with 1.
    const output = await this.#output(['-v'])
    return `wrk ${/wrk (?:debian\/)?([\d.]+)/.exec(output)?.[1] ?? 'of an unknown version'}`
  }

  async run(options: LoadOptions): Promise<LoadResult> {
    const { url, content, connections, warmUpMs, measuredMs, answersWithinMs = 30_000, dir, signal } = options
    this.#scripts += 1
    const script = join(dir, `load-${this.#scripts}.lua`)
    await writeFile(script, loadScript(content, { connections, warmUpMs, measuredMs }))
    const args = ['--threads', '1', '--connections', String(connections), '--timeout', '60s']
    const output = await this.#output(
      [...args, '--duration', `${longestLoadSeconds}s`, '--script', script, url],
      warmUpMs + measuredMs + answersWithinMs,
      signal,
    )
    const line = output.split('\n').find((each) => each.startsWith(reportMark))
    if (line === undefined) throw new Error(`wrk has reported nothing: ${output.slice(-500)}`)
    const report = JSON.parse(line.slice(reportMark.length)) as LoadReport
    const { sent, answered, failed, broken, sentMeasured } = report
    return {
      perSecond: sentMeasured / (measuredMs / 1_000),
      sent,
      succeeded: answered - failed,
      failed,
      unanswered: sent - answered,
      broken,
      cpuSeconds: report.cpuSeconds,
    }
  }

  /** @param endsAfterMs after so long, or when all is answered, it is told to stop, and prints its report. */
  async #output(args: string[], endsAfterMs?: number, signal?: AbortSignal): Promise<string> {
    const child = spawn(this.#binary, args, { env: childEnvironment(this.#env), stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = Promise.withResolvers<void>()
    let output = ''
    const begun = once(child.stderr, 'data')
    const answered = Promise.withResolvers<void>()
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text) => {
        output += text
        if (output.includes(endMark)) answered.resolve()
      })
    }
    child.once('error', ended.reject)
    child.once('close', () => ended.resolve())
    const kill = () => child.kill('SIGKILL')
    signal?.addEventListener('abort', kill)
    try {
      if (endsAfterMs !== undefined) {
        const abort = { ref: false, ...(signal && { signal }) }
        await Promise.race([begun, ended.promise, sleep(startWithinMs, undefined, abort)])
        await Promise.race([answered.promise, ended.promise, sleep(endsAfterMs, undefined, abort)])
        child.kill('SIGINT')
      }
      await Promise.race([ended.promise, sleep(startWithinMs, undefined, { ref: false })])
      signal?.throwIfAborted()
      return output
    } finally {
      signal?.removeEventListener('abort', kill)
      kill()
    }
  }
}
