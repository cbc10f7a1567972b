import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { localDir } from '@clicktally/local/files/local-folder.ts'
import { hasDebianPackages, unpackedPackage } from '@clicktally/local/installation/debian-packages.ts'
import type { SupervisedProgram } from '@clicktally/local/processes/supervised-program.ts'

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
 * Calls `act` while the clock of PostgreSQL differs; restarts it before and after.
 *
 * @param library of `findFakeTime`
 * @param offset as libfaketime reads it: `+1h`
 */
export async function withShiftedClock(
  postgres: SupervisedProgram,
  library: string,
  offset: string,
  act: () => Promise<void>,
): Promise<void> {
  const { program } = postgres
  const { command, args } = program
  const line = [command, ...args]
  // Not for the program that changes the user: libfaketime's semaphore would belong to root.
  const server = line.findIndex((word) => basename(word) === 'postgres')
  // Timeouts keep their length.
  const variables = [`LD_PRELOAD=${library}`, `FAKETIME=${offset}`, 'DONT_FAKE_MONOTONIC=1']
  const [shifted = '', ...rest] = [...line.slice(0, server), '/usr/bin/env', ...variables, ...line.slice(server)]
  const restart = async (command: string, args: string[]) => {
    await postgres.stop()
    Object.assign(program, { command, args })
    await postgres.start()
  }
  try {
    await restart(shifted, rest)
    await act()
  } finally {
    await restart(command, args)
  }
}
