import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allOrFirstError, type LaunchLevels, type Started } from './launch-levels.ts'
import { nodeService, runToItsEnd } from './node-services.ts'
import { freePort } from './ports.ts'
import type { Between, ServiceKind } from './service-link.ts'
import { SupervisedProgram, type Supervision } from './supervised-program.ts'
import { unprivilegedUser } from './unprivileged-user.ts'

/** One of the programs that make up the system, for whoever wants to look at it or to let it crash. */
export interface RunningService {
  program: SupervisedProgram
  port: number
}

/** What is different about a processor that is added while the system runs. */
export interface ProcessorChanges {
  /** Set besides those that every processor has. */
  variables?: Record<string, string>
  /** A command, and its first arguments, that runs the command line that follows: the processor's. */
  through?: string[]
  /** Default: as for the others. */
  between?: Between
  /** The longest pause before it is started again, for one that is to crash again and again. */
  longestWaitMs?: number
}

export interface StartedServices {
  ingestPorts: number[]
  apiPorts: number[]
  /** One more processor; resolves when it is ready. */
  addProcessor(changes?: ProcessorChanges): Promise<RunningService>
  /** Stops an added processor for good. */
  removeProcessor(name: string): Promise<void>
}

export interface ServiceLaunch {
  postgresPort: number
  amqpPort: number
  ingests: number
  processors: number
  /** Set for all of them, besides their own. */
  variables: Record<string, string>
  /** Where a service connects to instead of to its server's own port. */
  between: Between
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
export async function startServices(launch: ServiceLaunch): Promise<StartedServices> {
  const { supervision, signal, levels, services, logPath } = launch
  const user = await unprivilegedUser({ folders: [import.meta.dirname], programs: [process.execPath] })
  const migrations = { name: 'migrations', entry: 'migrations/main.ts', logPath: logPath('migrations'), user }
  await runToItsEnd({ ...migrations, variables: migrationVariables(launch) }, signal)
  supervision.onLine('migrations are done')

  const start = async (level: Started[], name: string, kind: ServiceKind, changes: ProcessorChanges = {}) => {
    const { variables, between = launch.between, ...rest } = changes
    const port = await freePort()
    const own = { ...launch.variables, ...variables, ...(await serviceVariables(launch, name, kind, between)) }
    const entry = `services/${kind}/main.ts`
    const service = { name, entry, port, variables: own, logPath: logPath(name), user, ...rest }
    const program = new SupervisedProgram(nodeService(service), supervision)
    await program.start(signal)
    const running = { program, port }
    services.set(name, running)
    level.push({ name, stop: () => program.stop() })
    supervision.onLine(`${name} is ready`)
    return running
  }
  const several = (kind: ServiceKind, count: number, level: Started[]) =>
    Array.from({ length: count }, (_, index) => start(level, `${kind}-${index + 1}`, kind))

  const processors = levels.next()
  await allOrFirstError(several('processor', launch.processors, processors))
  const doors = levels.next()
  const ingests = several('ingest', launch.ingests, doors)
  const api = start(doors, 'api', 'api')
  await allOrFirstError([...ingests, api])

  let lastProcessor = launch.processors
  return {
    ingestPorts: (await Promise.all(ingests)).map(({ port }) => port),
    apiPorts: [(await api).port],
    addProcessor: async (changes) => {
      lastProcessor += 1
      return await start(processors, `processor-${lastProcessor}`, 'processor', changes)
    },
    removeProcessor: async (name) => {
      await services.get(name)?.program.stop()
      services.delete(name)
      const index = processors.findIndex((each) => each.name === name)
      if (index !== -1) processors.splice(index, 1)
    },
  }
}

function migrationVariables({ postgresPort, secretsDir }: ServiceLaunch): Record<string, string> {
  const secret = (path: string) => readFileSync(join(secretsDir, path), 'utf8')
  return {
    DATABASE_URL: `postgres://clicktally@127.0.0.1:${postgresPort}/clicktally`,
    DATABASE_PASSWORD: secret('migrate/owner-password'),
    PROCESSOR_DATABASE_PASSWORD: secret('migrate/processor-password'),
    API_DATABASE_PASSWORD: secret('migrate/api-password'),
    OPERATOR_DATABASE_PASSWORD: secret('migrate/operator-password'),
  }
}

async function serviceVariables(
  { postgresPort, amqpPort, secretsDir }: ServiceLaunch,
  service: string,
  kind: ServiceKind,
  between: Between,
): Promise<Record<string, string>> {
  const secret = (path: string) => readFileSync(join(secretsDir, path), 'utf8')
  const variables: Record<string, string> = {}
  if (kind !== 'ingest') {
    const port = await between({ service, kind, server: 'postgres', port: postgresPort })
    variables.DATABASE_URL = `postgres://clicktally_${kind}@127.0.0.1:${port}/clicktally`
    variables.DATABASE_PASSWORD = secret(`${kind}/database-password`)
  }
  if (kind !== 'api') {
    const port = await between({ service, kind, server: 'rabbitmq', port: amqpPort })
    variables.BROKER_URL = `amqp://${kind}@127.0.0.1:${port}`
    variables.BROKER_PASSWORD = secret(`${kind}/broker-password`)
  }
  return variables
}
