import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CliError } from '../cli-error.ts'
import type { SystemAddresses } from './system-addresses.ts'

/** Contents of `system.json`, in which `npm start` describes the running system. No secrets. */
interface LocalSystem {
  readonly baseUrl: string
  readonly postgresPort: number
  readonly amqpPort: number
  readonly managementPort: number
}

/** Its addresses, and the operator's key. */
export interface LocalRun extends SystemAddresses {
  readonly key: string
}

/**
 * Finds the system that `npm start` runs with its data in this folder; undefined if none is running.
 *
 * @throws {CliError} if its passwords cannot be read
 */
export async function readLocalRun(dir: string): Promise<LocalRun | undefined> {
  const system = await readSystem(join(dir, 'system.json'))
  if (system === undefined) return undefined
  const [database = '', broker = '', key = ''] = await Promise.all(
    ['database-password', 'broker-password', 'owner-key'].map((name) =>
      readSecret(join(dir, 'secrets/operator', name)),
    ),
  )
  return {
    databaseUrl: `postgres://clicktally_operator:${encodeURIComponent(database)}@127.0.0.1:${system.postgresPort}/clicktally`,
    brokerUrl: `amqp://operator:${encodeURIComponent(broker)}@127.0.0.1:${system.amqpPort}`,
    managementUrl: `http://127.0.0.1:${system.managementPort}`,
    baseUrl: system.baseUrl,
    key,
  }
}

async function readSystem(path: string): Promise<LocalSystem | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as LocalSystem
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new CliError(
      `${path} describes the local system, but cannot be read: ${(error as Error).message}. "npm start" writes it.`,
      1,
      { cause: error },
    )
  }
}

async function readSecret(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    throw new CliError(`Cannot read the operator's password or key: ${(error as Error).message}`, 1, { cause: error })
  }
}
