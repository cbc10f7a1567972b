import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { secretsOf, serversOf, serverVariables } from '@clicktally/system/accounts.ts'
import {
  type Part,
  type PartName,
  parts,
  type Server,
  type ServiceName,
  serviceNames,
  upstreamNames,
} from '@clicktally/system/parts.ts'
import { freePort } from '../ports.ts'
import { SupervisedProgram, type Supervision } from '../processes/supervised-program.ts'
import { unprivilegedUser } from '../processes/unprivileged-user.ts'
import { allOrFirstError, type LaunchLevels, type Started } from './launch-levels.ts'
import { nodeService, runToItsEnd } from './node-services.ts'
import type { Between } from './service-link.ts'

/** A running program of the system, which tests may inspect and kill. */
export interface RunningService {
  program: SupervisedProgram
  /** On 127.0.0.1; 0 if it does not listen. */
  port: number
}

/** What is different about a processor that is added while the system runs. */
export interface ProcessorChanges {
  /** Variables besides those that every processor has. */
  variables?: Record<string, string>
  /** A command and its first arguments, which run the processor's command line. */
  through?: string[]
  /** Default: as for the others. */
  between?: Between
  /** The longest pause before a restart, for a processor that is to crash again and again. */
  longestWaitMs?: number
}

export interface StartedServices {
  /** The ports of the services that nginx passes requests on to. */
  upstreams: Record<string, readonly number[]>
  /** Adds a processor; resolves when it is ready. */
  addProcessor(changes?: ProcessorChanges): Promise<RunningService>
  /** Stops an added processor for good. */
  removeProcessor(name: string): Promise<void>
}

export interface ServiceLaunch {
  serverPorts: Record<Server, number>
  /** How many instances of a service to start. Default: one, without a number in its name. */
  instances: Partial<Record<ServiceName, number>>
  /** Variables for all services, besides their own. */
  variables: Record<string, string>
  /** Where a service connects to instead of the server's own port. */
  between: Between
  secretsDir: string
  logPath(name: string): string
  supervision: Supervision
  signal?: AbortSignal | undefined
  levels: LaunchLevels
  /** Each service is added here under its name. */
  services: Map<string, RunningService>
}

/**
 * Migrates the database, then starts the services of the table of parts: first those that nginx does not serve, then those that
 * it does. Resolves when all are ready.
 */
export async function startServices(launch: ServiceLaunch): Promise<StartedServices> {
  const { instances, serverPorts, secretsDir, supervision, signal, levels, services, logPath } = launch
  const user = await unprivilegedUser({ folders: [import.meta.dirname], programs: [process.execPath] })
  const ownPorts = (server: Server) => `127.0.0.1:${serverPorts[server]}`
  const migrations = { name: 'migrations', logPath: logPath('migrations'), user }
  await runToItsEnd({ ...migrations, ...partProgram('migrate', ownPorts, secretsDir) }, signal)
  supervision.onLine('migrations are done')

  const start = async (level: Started[], name: string, kind: ServiceName, changes: ProcessorChanges = {}) => {
    const { variables, between = launch.between, ...rest } = changes
    const addresses = new Map<Server, string>()
    for (const server of serversOf(kind)) {
      addresses.set(server, `127.0.0.1:${await between({ service: name, kind, server, port: serverPorts[server] })}`)
    }
    const own = partProgram(kind, (server) => addresses.get(server) as string, secretsDir)
    const port = (parts[kind] as Part).port === undefined ? undefined : await freePort()
    const service = {
      ...{ name, port, logPath: logPath(name), user, ...own, ...rest },
      variables: { ...launch.variables, ...variables, ...own.variables },
    }
    const program = new SupervisedProgram(nodeService(service), supervision)
    await program.start(signal)
    const running = { program, port: port ?? 0 }
    services.set(name, running)
    level.push({ name, stop: () => program.stop() })
    supervision.onLine(`${name} is ready`)
    return running
  }
  const startAll = async (kinds: ServiceName[], level: Started[]) => {
    const starts = kinds.flatMap((kind) => {
      const count = instances[kind]
      const names = count === undefined ? [kind] : Array.from({ length: count }, (_, index) => `${kind}-${index + 1}`)
      return names.map(async (name) => ({ kind, port: (await start(level, name, kind)).port }))
    })
    return Object.groupBy(await allOrFirstError(starts), ({ kind }) => kind)
  }

  const background = levels.next()
  await startAll(
    serviceNames.filter((name) => !upstreamNames.includes(name)),
    background,
  )
  const upstreams = await startAll(upstreamNames, levels.next())

  let lastProcessor = instances.processor ?? 1
  return {
    upstreams: Object.fromEntries(upstreamNames.map((kind) => [kind, (upstreams[kind] ?? []).map(({ port }) => port)])),
    addProcessor: async (changes) => {
      lastProcessor += 1
      return await start(background, `processor-${lastProcessor}`, 'processor', changes)
    },
    removeProcessor: async (name) => {
      await services.get(name)?.program.stop()
      services.delete(name)
      const index = background.findIndex((each) => each.name === name)
      if (index !== -1) background.splice(index, 1)
    },
  }
}

/** A part's program, with the variables for its servers and its secrets. An address is `host:port`. */
function partProgram(name: PartName, address: (server: Server) => string, secretsDir: string) {
  const { folder, account, settings = [] }: Part = parts[name]
  const variables = serverVariables(name, address)
  for (const { variable, file } of secretsOf(name)) {
    if (variable !== undefined) variables[variable] = readFileSync(join(secretsDir, account ?? '', file), 'utf8')
  }
  return { entry: `${folder}/main.ts`, variables, settings }
}
