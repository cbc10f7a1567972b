import { join } from 'node:path'
import type { CliContext } from './cli-context.ts'
import { CliError, usageError } from './cli-error.ts'
import { composeIsRunning, runInContainer } from './compose.ts'
import { readLocalRun } from './local-run.ts'

/** Where a running Clicktally can be reached, as its operator. */
export interface SystemAccess {
  /** postgres:// as clicktally_operator, with the password. */
  readonly databaseUrl: string
  /** amqp:// as operator, with the password. */
  readonly brokerUrl: string
  /** http:// of the broker's management API; its user is the one of `brokerUrl`. */
  readonly managementUrl: string
  /** Where clicks are sent to: `http://127.0.0.1:8080`. */
  readonly baseUrl: string
}

const variables = {
  databaseUrl: 'CLICKTALLY_DATABASE_URL',
  brokerUrl: 'CLICKTALLY_BROKER_URL',
  managementUrl: 'CLICKTALLY_MANAGEMENT_URL',
  baseUrl: 'CLICKTALLY_URL',
} as const satisfies Record<keyof SystemAccess, string>

const cloneDir = join(import.meta.dirname, '..')

const notFound = `No running Clicktally was found. One of these three helps:
  - start one in this folder without Docker:  npm start
  - start one in this folder with Docker:     docker compose up --build --wait
  - or say where yours is:                    ${Object.values(variables).join(', ')} (see .env.example)`

/**
 * Finds the system, in this order: what the variables say, what `npm start` runs in this folder, what compose runs in this
 * folder. The three are never mixed: letters of one system must not be replayed into another.
 *
 * Containers can't be reached from outside, so there the whole command is run again in a container of its own, and this
 * call does not return but throws how it ended.
 *
 * @param needed the addresses that the command can't do without
 * @param dir the folder whose system it may be, if none is named
 * @throws {CliError}
 */
export async function findSystem<Address extends keyof SystemAccess>(
  context: CliContext,
  needed: readonly Address[],
  dir: string = cloneDir,
): Promise<Pick<SystemAccess, Address>> {
  const given = withManagement(context.config)
  if (Object.values(given).some((address) => address !== undefined)) {
    return pick(given, needed, (names) =>
      usageError(
        `Some CLICKTALLY_… variables are set, but not ${names.join(', ')}, which this command needs. ` +
          'Set all that it needs or none of them (see .env.example).',
      ),
    )
  }
  const local = await readLocalRun(join(dir, '.local'))
  if (local !== undefined) return local
  if (await composeIsRunning(dir)) return await runInContainer(dir, context)
  throw new CliError(notFound)
}

/** RabbitMQ's management listens on a port of its own on the broker's host; this is where it is unless told otherwise. */
function withManagement(config: CliContext['config']): Partial<SystemAccess> {
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

function pick<Address extends keyof SystemAccess>(
  given: Partial<SystemAccess>,
  needed: readonly Address[],
  missing: (names: string[]) => Error,
): Pick<SystemAccess, Address> {
  const absent = needed.filter((address) => given[address] === undefined)
  if (absent.length > 0) throw missing(absent.map((address) => variables[address]))
  return given as SystemAccess
}
