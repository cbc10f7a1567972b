import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Problem } from '../problem.ts'
import { hasDebianPackages, unpackedPackage } from './debian-packages.ts'
import { type FindOptions, howToInstall, unpackedLibraries } from './installation-advice.ts'
import { findPrograms } from './program-search.ts'

/** A PgBouncer that can be run in place. */
export interface PgbouncerInstallation {
  readonly pgbouncer: string
  /** Variables that it needs. */
  readonly env: Record<string, string>
  /** The folder that its user must be able to read. */
  readonly folder: string | undefined
}

/**
 * PgBouncer from PATH; otherwise, on Debian and Ubuntu, the distribution's package, unpacked. Only tests use it.
 * @throws Problem that tells what to install.
 */
export async function findPgbouncer({ toolsDir, ...options }: FindOptions): Promise<PgbouncerInstallation> {
  const [installed] = findPrograms('pgbouncer')
  if (installed) return { pgbouncer: installed, env: {}, folder: undefined }
  if (!hasDebianPackages()) throw new Problem(howToInstall('PgBouncer', 'pgbouncer'))
  const root = await unpackedPackage({ ...options, package: 'pgbouncer', dir: join(toolsDir, 'debian') })
  const pgbouncer = join(root, 'usr/sbin/pgbouncer')
  if (!existsSync(pgbouncer))
    throw new Problem(`The unpacked packages in ${root} contain no PgBouncer. Remove the folder and start again.`)
  return { pgbouncer, env: unpackedLibraries(root), folder: root }
}
