import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allOrFirstError, type LaunchLevels } from './launch-levels.ts'
import { nodeService, runToItsEnd } from './node-services.ts'
import { freePort } from './ports.ts'
import { SupervisedProgram, type Supervision } from './supervised-program.ts'
import { unprivilegedUser } from './unprivileged-user.ts'

/** One of the programs that make up the system, for whoever wants to look at it or to let it crash. */
export interface RunningService {
  program: SupervisedProgram
  port: number
}

export interface ServiceLaunch {
  postgresPort: number
  amqpPort: number
  ingests: number
  processors: number
  /** Set for all of them, besides their own. */
  variables: Record<string, string>
  secretsDir: string
  logPath(name: string): string
  supervision: Supervision
  signal?: AbortSignal | undefined
  levels: LaunchLevels
  /** Each service is entered here under its name. */
  services: Map<string, RunningService>
}

/**
 * Brings the database's tables up to date, then starts the services: first who writes the clicks, then who takes them
 * and who answers. Resolves when all say that they are ready.
 */
export async function startServices(launch: ServiceLaunch): Promise<{ ingestPorts: number[]; apiPorts: number[] }> {
  const { supervision, signal, levels, services, logPath } = launch
  const user = await unprivilegedUser({ folders: [import.meta.dirname], programs: [process.execPath] })
  const variables = serviceVariables(launch)
  const migrations = { name: 'migrations', entry: 'migrations/main.ts', logPath: logPath('migrations'), user }
  await runToItsEnd({ ...migrations, variables: variables.migrations }, signal)
  supervision.onLine('migrations are done')

  const startLevel = async (instances: { name: string; kind: 'processor' | 'ingest' | 'api' }[]) => {
    const level = levels.next()
    return await allOrFirstError(
      instances.map(async ({ name, kind }) => {
        const port = await freePort()
        const own = { ...launch.variables, ...variables[kind] }
        const service = { name, entry: `services/${kind}/main.ts`, port, variables: own, logPath: logPath(name), user }
        const program = new SupervisedProgram(nodeService(service), supervision)
        await program.start(signal)
        services.set(name, { program, port })
        level.push({ name, stop: () => program.stop() })
        supervision.onLine(`${name} is ready`)
        return { kind, port }
      }),
    )
  }
  const several = <Kind extends string>(kind: Kind, count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `${kind}-${index + 1}`, kind }))

  await startLevel(several('processor', launch.processors))
  const doors = await startLevel([...several('ingest', launch.ingests), { name: 'api', kind: 'api' }])
  const portsOf = (kind: string) => doors.filter((door) => door.kind === kind).map((door) => door.port)
  return { ingestPorts: portsOf('ingest'), apiPorts: portsOf('api') }
}

function serviceVariables({ postgresPort, amqpPort, secretsDir }: ServiceLaunch) {
  const secret = (path: string) => readFileSync(join(secretsDir, path), 'utf8')
  const database = (role: string) => `postgres://${role}@127.0.0.1:${postgresPort}/clicktally`
  const broker = (user: string) => `amqp://${user}@127.0.0.1:${amqpPort}`
  return {
    migrations: {
      DATABASE_URL: database('clicktally'),
      DATABASE_PASSWORD: secret('migrate/owner-password'),
      PROCESSOR_DATABASE_PASSWORD: secret('migrate/processor-password'),
      API_DATABASE_PASSWORD: secret('migrate/api-password'),
    },
    processor: {
      BROKER_URL: broker('processor'),
      BROKER_PASSWORD: secret('processor/broker-password'),
      DATABASE_URL: database('clicktally_processor'),
      DATABASE_PASSWORD: secret('processor/database-password'),
    },
    ingest: { BROKER_URL: broker('ingest'), BROKER_PASSWORD: secret('ingest/broker-password') },
    api: { DATABASE_URL: database('clicktally_api'), DATABASE_PASSWORD: secret('api/database-password') },
  }
}
