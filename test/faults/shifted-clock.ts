import { globSync } from 'node:fs'
import { join } from 'node:path'
import { localDir } from '@clicktally/local/files/local-folder.ts'
import { hasDebianPackages, unpackedPackage } from '@clicktally/local/installation/debian-packages.ts'

/**
 * The path of libfaketime, from the distribution's package, with which any program can be given another time of day. Undefined
 * on systems without Debian's packages.
 */
export async function findFakeTime(): Promise<string | undefined> {
  if (process.platform !== 'linux' || !hasDebianPackages()) return undefined
  const root = await unpackedPackage({ package: 'libfaketime', dir: join(localDir, 'debian'), onLine: () => {} })
  return globSync(join(root, 'usr/lib/*/faketime/libfaketime.so.1'))[0]
}

/**
 * Environment variables for a program whose clock differs.
 *
 * @param offset as libfaketime reads it: `+1h`
 */
export function shiftedClock(library: string, offset: string): Record<string, string> {
  return {
    LD_PRELOAD: library,
    FAKETIME: offset,
    // Timeouts keep their length.
    DONT_FAKE_MONOTONIC: '1',
    // Its shared memory is that of the process that it was started from, whose clock is right.
    FAKETIME_DISABLE_SHM: '1',
  }
}
