import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type FirstKeys, readFirstKeys } from '@clicktally/keys/first-keys.ts'
import type { CliContext } from '../cli-context.ts'
import { CliError } from '../cli-error.ts'
import { composeIsRunning, runInContainer } from './compose.ts'

const cloneDir = join(import.meta.dirname, '../..')
/** Where compose mounts the operator's secrets in the container of the command line. */
const containerSecrets = '/run/secrets'

/**
 * The first keys, from files that only the operator can read: in the container of the command line, else of the system that
 * `npm start` runs in this folder, running or not. If compose runs it, the command runs again in its container.
 *
 * @throws {CliError}
 */
export async function findFirstKeys(
  context: CliContext,
  dir: string = cloneDir,
  secretsInContainer: string = containerSecrets,
): Promise<FirstKeys> {
  const local = join(dir, '.local')
  if (existsSync(join(secretsInContainer, 'first-read-key'))) return read(secretsInContainer)
  if (!existsSync(join(local, 'system.json')) && (await composeIsRunning(dir)))
    return await runInContainer(dir, context)
  return read(join(local, 'secrets/operator'))
}

function read(dir: string): FirstKeys {
  try {
    return readFirstKeys(dir)
  } catch (error) {
    throw new CliError(`The first keys cannot be read: ${(error as Error).message}. The first start creates them.`, 1, {
      cause: error,
    })
  }
}
