import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

const sampleEveryMs = 200

/** Resident memory of a process in bytes; undefined if there is no process or no /proc. */
export async function residentMemory(pid: number | undefined): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

/** Samples the resident memory of programs until it is stopped, and keeps the maximum of any one of them. */
export class MemoryPeak {
  readonly #programs: readonly { readonly pid: number | undefined }[]
  readonly #running: Promise<void>
  #maxBytes = 0
  #stopped = false

  constructor(programs: readonly { readonly pid: number | undefined }[]) {
    this.#programs = programs
    this.#running = this.#watch()
  }

  /** Resolves with the maximum in bytes; 0 if nothing could be measured. */
  async stop(): Promise<number> {
    this.#stopped = true
    await this.#running
    return this.#maxBytes
  }

  async #watch(): Promise<void> {
    do {
      const held = await Promise.all(this.#programs.map(({ pid }) => residentMemory(pid)))
      this.#maxBytes = Math.max(this.#maxBytes, ...held.map((bytes) => bytes ?? 0))
      await sleep(sampleEveryMs)
    } while (!this.#stopped)
  }
}
