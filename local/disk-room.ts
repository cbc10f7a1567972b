import { statfsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { Problem } from './problem.ts'
import type { Watch } from './supervised-program.ts'

/** How much room a server needs on the disk of its data, in bytes. */
export interface DiskRoom {
  /** The folder of the data. */
  readonly dir: string
  /** With less than this it is killed. */
  readonly floorBytes: number
  /** With less than this it is not started: what a start writes itself must not take it to the floor again. */
  readonly startBytes: number
}

/** A disk that is filled at 2 GB/s loses 200 MB between two looks. */
const lookEveryMs = 100

/** Kills a server before the last byte of its disk is gone. */
export function watchRoom({ dir, floorBytes }: DiskRoom): Watch {
  return {
    everyMs: lookEveryMs,
    async whyUnfit() {
      const { bavail, bsize } = await statfs(dir)
      return bavail * bsize < floorBytes ? `less than ${megabytes(floorBytes)} are free on its disk` : undefined
    },
  }
}

/** @throws Problem while there is no room to start. */
export function requireRoom({ dir, startBytes }: DiskRoom): void {
  const { bavail, bsize } = statfsSync(dir)
  if (bavail * bsize < startBytes) throw new Problem(`it needs ${megabytes(startBytes)} free on the disk of ${dir}`)
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`
}
