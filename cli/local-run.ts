import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CliError } from './cli-error.ts'
import type { SystemAccess } from './system-access.ts'

/** What `npm start` tells of the system that it runs, in `system.json`: no secrets. */
interface LocalSystem {
  readonly baseUrl: string
  readonly postgresPort: number
  readonly amqpPort: number
  readonly managementPort: number
}

/**
 * The system that `npm start` runs with its data in this folder; undefined where it runs none.
 *
 * @throws {CliError} where it runs one whose passwords can't be read
 */
export async function readLocalRun(dir: string): Promise<SystemAccess | undefined> {
  const system = await readSystem(join(dir, 'system.json'))
  if (system === undefined) return undefined
  const [database, broker] = await Promise.all(
    ['database-password', 'broker-password'].map((name) => readPassword(join(dir, 'secrets', 'operator', name))),
  )
  return {
    databaseUrl: `postgres://clicktally_operator:${database}@127.0.0.1:${system.postgresPort}/clicktally`,
    brokerUrl: `amqp://operator:${broker}@127.0.0.1:${system.amqpPort}`,
    managementUrl: `http://127.0.0.1:${system.managementPort}`,
    baseUrl: system.baseUrl,
  }
}

async function readSystem(path: string): Promise<LocalSystem | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as LocalSystem
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new CliError(
      `${path} says where the local system is, but can't be read: ${(error as Error).message}. "npm start" writes it.`,
      1,
      { cause: error },
    )
  }
}

async function readPassword(path: string): Promise<string> {
  try {
    return encodeURIComponent((await readFile(path, 'utf8')).trim())
  } catch (error) {
    throw new CliError(`The operator's password can't be read: ${(error as Error).message}`, 1, { cause: error })
  }
}
