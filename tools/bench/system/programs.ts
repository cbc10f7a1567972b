import { join } from 'node:path'
import { freePort } from '@clicktally/local/ports.ts'
import { SupervisedProgram } from '@clicktally/local/processes/supervised-program.ts'
import { unprivilegedUser } from '@clicktally/local/processes/unprivileged-user.ts'
import { type NodeService, nodeService } from '@clicktally/local/services/node-services.ts'
import { parts } from '@clicktally/system/parts.ts'
import type { Stage } from '../measurement.ts'
import type { BenchSystem } from './bench-system.ts'
import { readSecret } from './databases.ts'

/** A program with an HTTP side that runs in its own process. */
export interface RunningProgram {
  readonly url: string
  readonly program: SupervisedProgram
}

export interface ServiceOptions {
  readonly service: 'ingest' | 'processor' | 'api'
  readonly name: string
  readonly system: Pick<BenchSystem, 'amqpUrl' | 'secretsDir'>
  /** Not for ingest, which uses none. */
  readonly databaseUrl?: string
  readonly stage: Pick<Stage, 'dir' | 'signal'>
  /** Settings that differ from the defaults. */
  readonly variables?: Record<string, string>
}

/** Starts another one of the services, on the system's broker. Resolves when it is ready. */
export async function startService(options: ServiceOptions): Promise<RunningProgram> {
  const { service, name, system, databaseUrl, stage, variables } = options
  const broker = {
    BROKER_URL: `amqp://${service}@${new URL(system.amqpUrl).host}`,
    BROKER_PASSWORD: readSecret(system, `${service}/broker-password`),
  }
  return await startProgram(stage, {
    ...{ name, entry: `services/${service}/main.ts`, settings: parts[service].settings },
    variables: { ...variables, ...(service !== 'api' && broker), ...(databaseUrl && { DATABASE_URL: databaseUrl }) },
  })
}

/** Starts an alternative design in its own process. Resolves when it is ready. */
export async function startPeer(
  name: string,
  variables: Record<string, string>,
  stage: Pick<Stage, 'dir' | 'signal'>,
): Promise<RunningProgram> {
  const entry = `tools/bench/peers/${name}.ts`
  return await startProgram(stage, { name, entry, variables: { LOG_LEVEL: 'info', ...variables } })
}

async function startProgram(
  { dir, signal }: Pick<Stage, 'dir' | 'signal'>,
  options: Pick<NodeService, 'name' | 'entry' | 'settings' | 'variables'>,
): Promise<RunningProgram> {
  const user = await unprivilegedUser({ folders: [import.meta.dirname], programs: [process.execPath] })
  const port = await freePort()
  const service = nodeService({ ...options, port, logPath: join(dir, `${options.name}.log`), user })
  const program = new SupervisedProgram(service, { onLine: () => {} })
  await program.start(signal)
  return { url: `http://127.0.0.1:${port}`, program }
}
