import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { startPostgres } from '@clicktally/local/servers/postgres.ts'
import { onTestFinished } from 'vitest'

/**
 * Starts a PostgreSQL for one test, for what would change other tests' roles, and stops it after the test.
 *
 * @returns the URL of its superuser. It has an empty database, and none of our roles.
 */
export async function createOwnPostgres(): Promise<string> {
  const dir = await makeScratchFolder('postgres')
  const password = randomBytes(12).toString('hex')
  const { url, stop } = await startPostgres({ dir: join(dir, 'postgres'), password, isScratch: true })
  onTestFinished(async () => {
    await stop()
    await rm(dir, { recursive: true, force: true })
  })
  return url
}
