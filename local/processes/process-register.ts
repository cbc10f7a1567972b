import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { isAlive, type ProcessIdentity, sendSignal, waitUntilGone } from './process-identity.ts'

interface RegisteredProcess extends ProcessIdentity {
  name: string
  stopSignal: NodeJS.Signals
}

const stopWithinMs = 20_000

/**
 * The processes that a launcher has started, in a file. When the launcher is killed they go on running; the next launcher finds them
 * here and stops them.
 */
export class ProcessRegister {
  #path: string
  #processes: RegisteredProcess[] = []

  constructor(path: string) {
    this.#path = path
    mkdirSync(dirname(path), { recursive: true })
  }

  add(name: string, identity: ProcessIdentity, stopSignal: NodeJS.Signals): void {
    this.#processes.push({ name, ...identity, stopSignal })
    this.#write()
  }

  remove(identity: ProcessIdentity): void {
    this.#processes = this.#processes.filter(
      ({ pid, startedAt }) => pid !== identity.pid || startedAt !== identity.startedAt,
    )
    this.#write()
  }

  /** Kills all of them at once. */
  killAll(): void {
    for (const each of this.#processes.toReversed()) sendSignal(each, 'SIGKILL')
  }

  /** Stops, in reverse order, what a killed launcher left running. */
  async stopLeftovers(onLine: (line: string) => void): Promise<void> {
    for (const leftover of this.#read().toReversed()) {
      if (!isAlive(leftover)) continue
      onLine(`Stopping ${leftover.name} (process ${leftover.pid}), left over from a launcher that was killed`)
      sendSignal(leftover, leftover.stopSignal)
      if (await waitUntilGone(leftover, stopWithinMs)) continue
      sendSignal(leftover, 'SIGKILL')
      await waitUntilGone(leftover, stopWithinMs)
    }
    rmSync(this.#path, { force: true })
  }

  #read(): RegisteredProcess[] {
    try {
      return JSON.parse(readFileSync(this.#path, 'utf8'))
    } catch {
      return []
    }
  }

  #write(): void {
    const draft = `${this.#path}.draft`
    try {
      writeFileSync(draft, JSON.stringify(this.#processes, undefined, 2))
      renameSync(draft, this.#path)
    } catch {
      // The disk is full. Services are still restarted; only the leftovers of a killed launcher may be missed.
    }
  }
}
