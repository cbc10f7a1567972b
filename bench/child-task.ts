import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/**
 * A program of the benchmark that runs in a process of its own, so that what it uses is not taken for somebody else's: it
 * gets its settings as a message, answers with its result as a message, and ends.
 */
export class ChildTask<Result> {
  readonly #child: ChildProcess
  readonly #result: Promise<Result>
  readonly #gone: Promise<unknown>

  private constructor(child: ChildProcess, name: string) {
    this.#child = child
    this.#gone = once(child, 'exit')
    this.#result = new Promise((resolve, reject) => {
      child.once('message', (result) => resolve(result as Result))
      child.once('error', reject)
      child.once('exit', (code, signal) => reject(new Error(`${name} ended (${signal ?? code}) without a result`)))
    })
    // Whoever waits for it is told; until then it is nobody's failure.
    this.#result.catch(() => {})
  }

  /** @param entry from the folder of the benchmark */
  static start<Result>(entry: string, settings: object, signal: AbortSignal): ChildTask<Result> {
    signal.throwIfAborted()
    const child = fork(join(import.meta.dirname, entry), { signal, killSignal: 'SIGKILL', serialization: 'advanced' })
    const task = new ChildTask<Result>(child, entry)
    child.send(settings)
    return task
  }

  get pid(): number {
    const { pid } = this.#child
    if (pid === undefined) throw new Error('the program could not be started')
    return pid
  }

  /** What the program answers. @throws when it ends without an answer, or after so many milliseconds; it is killed then */
  async result(withinMs: number): Promise<Result> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), withinMs)
    try {
      return await this.#result
    } finally {
      clearTimeout(timer)
    }
  }

  /** Asks the program to end now, by a second message; it answers with its result. */
  finish(): void {
    this.#child.send('finish')
  }

  /** Ends the program, if it runs, and waits until it is gone. */
  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#gone
  }
}
