import { join } from 'node:path'
import type { CliContext } from '../cli-context.ts'
import { CliError, usageError } from '../cli-error.ts'
import { composeIsRunning, runInContainer } from './compose.ts'
import { readLocalRun } from './local-run.ts'
import type { SystemAddresses } from './system-addresses.ts'

const variables = {
  databaseUrl: 'CLICKTALLY_DATABASE_URL',
  brokerUrl: 'CLICKTALLY_BROKER_URL',
  managementUrl: 'CLICKTALLY_MANAGEMENT_URL',
  baseUrl: 'CLICKTALLY_URL',
} as const satisfies Record<keyof SystemAddresses, string>

const cloneDir = join(import.meta.dirname, '../..')

const notFound = `No running Clicktally was found. One of these three helps:
  - start one in this folder without Docker:  npm start
  - start one in this folder with Docker:     docker compose up --build --wait
  - or say where yours is:                    ${Object.values(variables).join(', ')} (see .env.example)`

/**
 * Finds the system, in this order: from environment variables, started by `npm start` in this folder, started by compose in this
 * folder. The three are never mixed: letters of one system must not be replayed into another.
 *
 * Containers cannot be reached from outside. The command then runs again in its own container, and this function throws its exit
 * code instead of returning.
 *
 * @param needed addresses that the command needs
 * @param dir folder of the system, if no variables are set
 * @throws {CliError}
 */
export async function findSystem<Address extends keyof SystemAddresses>(
  context: CliContext,
  needed: readonly Address[],
  dir: string = cloneDir,
): Promise<Pick<SystemAddresses, Address>> {
  const given = withManagement(context.config)
  if (Object.values(given).some((address) => address !== undefined)) {
    return pick(given, needed, (names) =>
      usageError(
        `Some CLICKTALLY_… variables are set, but not ${names.join(', ')}, which this command needs. ` +
          'Set all of them or none (see .env.example).',
      ),
    )
  }
  const local = await readLocalRun(join(dir, '.local'))
  if (local !== undefined) return local
  if (await composeIsRunning(dir)) return await runInContainer(dir, context)
  throw new CliError(notFound)
}

/** Returns the URL of RabbitMQ's management API: by default its usual port on the broker's host. */
function withManagement(config: CliContext['config']): Partial<SystemAddresses> {
  const { databaseUrl, brokerUrl, baseUrl } = config
  const managementUrl =
    config.managementUrl ?? (brokerUrl === undefined ? undefined : `http://${new URL(brokerUrl).hostname}:15672`)
  return {
    ...(databaseUrl !== undefined && { databaseUrl }),
    ...(brokerUrl !== undefined && { brokerUrl }),
    ...(managementUrl !== undefined && { managementUrl }),
    ...(baseUrl !== undefined && { baseUrl }),
  }
}

function pick<Address extends keyof SystemAddresses>(
  given: Partial<SystemAddresses>,
  needed: readonly Address[],
  missing: (names: string[]) => Error,
): Pick<SystemAddresses, Address> {
  const absent = needed.filter((address) => given[address] === undefined)
  if (absent.length > 0) throw missing(absent.map((address) => variables[address]))
  return given as SystemAddresses
}
