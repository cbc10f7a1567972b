import { statfsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { Problem } from '../problem.ts'
import type { HealthCheck } from '../processes/supervised-program.ts'

/** How much free space a server needs on the disk of its data, in bytes. */
export interface DiskSpace {
  /** The folder of the data. */
  readonly dir: string
  /** Below this it is killed. */
  readonly floorBytes: number
  /** Below this it is not started, because the start itself would write down to the floor again. */
  readonly startBytes: number
}

/** A disk that fills at 2 GB/s loses 200 MB between two checks. */
const checkEveryMs = 100

/** Fails before the disk of a server is full. */
export function watchSpace({ dir, floorBytes }: DiskSpace): HealthCheck {
  return {
    everyMs: checkEveryMs,
    async failure() {
      const { bavail, bsize } = await statfs(dir)
      return bavail * bsize < floorBytes ? `less than ${megabytes(floorBytes)} are free on its disk` : undefined
    },
  }
}

/** @throws Problem while there is too little space to start. */
export function requireSpace({ dir, startBytes }: DiskSpace): void {
  const { bavail, bsize } = statfsSync(dir)
  if (bavail * bsize < startBytes) throw new Problem(`it needs ${megabytes(startBytes)} free on the disk of ${dir}`)
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`
}
