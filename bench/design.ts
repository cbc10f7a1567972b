import { residentMemory } from '@clicktally/processes/resident-memory.ts'
import type { SystemPart } from './measurement.ts'
import { cpuSeconds } from './process-cpu.ts'

/** A way to accept clicks, running: Clicktally itself, or one of those that it is compared with. */
export interface Design {
  /** As the tables name it. */
  readonly name: string
  /** The base URL of its HTTP side, itself and nothing before it. */
  readonly url: string
  /** What it brings along and no other has, as `Redis 7.0.15`. */
  readonly brings?: string
  /** Clicktally itself. */
  readonly own?: boolean
  /** The process of the HTTP side; undefined while there is none. */
  pid(): number | undefined
  /** What else works for it. */
  behind(): readonly DesignPart[]
  /**
   * How many clicks it has kept since this was last asked; asked when the load has ended. Undefined where it keeps none, or
   * where that is asked later, of all turns together.
   */
  kept?(expected: number): Promise<number>
  /** It may lose what it has answered: what it has kept is shown, and makes nothing void. */
  readonly mayLose?: boolean
  stop(): Promise<void>
}

export interface DesignPart {
  readonly part: Extract<SystemPart, 'rabbitmq' | 'postgres'> | 'redis'
  readonly pids: readonly number[]
}

/** CPU seconds of everything that works for a design, by part. */
export interface DesignCpu {
  readonly service: number
  readonly rabbitmq: number | undefined
  readonly postgres: number | undefined
  readonly redis: number | undefined
}

export function cpuOf(design: Design): DesignCpu {
  const parts = design.behind()
  const secondsOf = (wanted: DesignPart['part']) => {
    const found = parts.find(({ part }) => part === wanted)
    return found && cpuSeconds(found.pids)
  }
  const pid = design.pid()
  return {
    service: cpuSeconds(pid === undefined ? [] : [pid]),
    rabbitmq: secondsOf('rabbitmq'),
    postgres: secondsOf('postgres'),
    redis: secondsOf('redis'),
  }
}

/** Megabytes that the HTTP side holds in memory now. */
export async function memoryOf(design: Design): Promise<number> {
  return ((await residentMemory(design.pid())) ?? Number.NaN) / 1_000_000
}
