import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

const sampleEveryMs = 200

/** What a process holds in memory, in bytes; undefined where the system does not tell or there is no process. */
export async function residentMemory(pid: number | undefined): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

/** The most that one of some programs holds in memory, looked at until it is stopped. */
export class MemoryWatch {
  readonly #programs: readonly { readonly pid: number | undefined }[]
  readonly #running: Promise<void>
  #most = 0
  #stopped = false

  constructor(programs: readonly { readonly pid: number | undefined }[]) {
    this.#programs = programs
    this.#running = this.#watch()
  }

  /** Resolves with the most since it began, in bytes; 0 where nothing could be measured. */
  async stop(): Promise<number> {
    this.#stopped = true
    await this.#running
    return this.#most
  }

  async #watch(): Promise<void> {
    do {
      const held = await Promise.all(this.#programs.map(({ pid }) => residentMemory(pid)))
      this.#most = Math.max(this.#most, ...held.map((bytes) => bytes ?? 0))
      await sleep(sampleEveryMs)
    } while (!this.#stopped)
  }
}
