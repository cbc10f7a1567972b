import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchSystem } from './measurement.ts'

/** Stops the broker where it stands, as a machine that hangs: its connections stay, and nothing moves on them. */
export class BrokerStall {
  readonly #pids: readonly number[]

  private constructor(pids: readonly number[]) {
    this.#pids = pids
  }

  static begin(system: BenchSystem): BrokerStall {
    const stall = new BrokerStall(system.processesOf('rabbitmq'))
    stall.#signal('SIGSTOP')
    return stall
  }

  /** It goes on. May be called again. */
  end(): void {
    this.#signal('SIGCONT')
  }

  #signal(signal: NodeJS.Signals): void {
    for (const pid of this.#pids) {
      try {
        process.kill(pid, signal)
      } catch (error) {
        // A helper of the broker's that has ended meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
  }
}

/** Seconds until an ingest accepts a click again. @throws when it does not within so many milliseconds */
export async function untilAccepted(
  ingestUrl: string,
  withinMs: number,
  signal: AbortSignal,
  onSent: (accepted: boolean) => void,
): Promise<number> {
  const startedAtMs = performance.now()
  for (;;) {
    const answer = await fetch(`${ingestUrl}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"target":"after-the-stall"}',
      signal,
    })
    await answer.arrayBuffer()
    onSent(answer.status === 202)
    const tookMs = performance.now() - startedAtMs
    if (answer.status === 202) return tookMs / 1_000
    if (tookMs > withinMs) throw new Error(`nothing is accepted ${Math.round(tookMs / 1_000)} s after the stall`)
    await sleep(100, undefined, { signal })
  }
}
