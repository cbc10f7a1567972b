import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CliContext } from '../cli-context.ts'
import { CliError, usageError } from '../cli-error.ts'
import { readLocalRun } from './local-run.ts'

export interface OwnerAccess {
  /** As the owner of the tables. */
  readonly databaseUrl: string
  /** The folder of all secrets; undefined if it is not known. */
  readonly secretsDir: string | undefined
}

const cloneDir = join(import.meta.dirname, '../..')

/**
 * Finds the database of the running system, for its owner: CLICKTALLY_OWNER_DATABASE_URL, else that of `npm start` in this folder.
 *
 * @throws {CliError}
 */
export async function findOwner({ config }: CliContext, dir: string = cloneDir): Promise<OwnerAccess> {
  if (config.ownerDatabaseUrl !== undefined)
    return { databaseUrl: config.ownerDatabaseUrl, secretsDir: config.secretsDir }
  const localDir = join(dir, '.local')
  const local = await readLocalRun(localDir)
  if (local === undefined) {
    throw usageError(
      'No system runs in this folder by "npm start". Set CLICKTALLY_OWNER_DATABASE_URL; for docker compose see docs/operations.md.',
    )
  }
  const secretsDir = join(localDir, 'secrets')
  try {
    const url = new URL(local.databaseUrl)
    url.username = 'clicktally'
    url.password = encodeURIComponent((await readFile(join(secretsDir, 'migrate/owner-password'), 'utf8')).trim())
    return { databaseUrl: url.href, secretsDir }
  } catch (error) {
    throw new CliError(`Cannot read the owner's password: ${(error as Error).message}`, 1, { cause: error })
  }
}
